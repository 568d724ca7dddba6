"""
Made-up traffic of a fleet, for the first look, the dashboard's demo and the tests.

``jobs`` says what its programs do, ``fleet`` who sends what when, ``season`` which weeks of it the demo shows,
``executed`` plays requests through the sandbox without HTTP, and ``live`` sends them through the gateway with the
official SDK. Nothing in it is real: no tenant, no user, no prompt.
"""
