"""
What things cost: a dated, sourced price book and a pure engine.

``data/`` holds the rates, ``schema`` their shape, ``book`` answers "which rate applied on D, as known on K", ``names``
says which model an id names, ``card`` composes the modifiers, ``engine`` prices what a response says was served.

``overrides`` lays the user's corrections over a book, ``release`` signs and installs other books, ``installed`` says
which one is in force, ``sanity`` and ``diff`` what of them looks wrong. ``contracts`` prices beside list,
``time_meters`` what is billed by the hour.
"""
