"""``farthing config``: the settings in force and where each came from."""

from __future__ import annotations

from farthing.cli import options, output


def config(json: output.Json = False, config: options.Config = None) -> None:
    """Show every setting in force, and whether it comes from a file, the environment or the defaults."""
    loaded = options.settings(config)
    if json:
        output.print_json(
            {
                "file": str(loaded.file) if loaded.file else None,
                "settings": {
                    setting.key: {"value": setting.text, "origin": setting.origin, "variable": setting.variable}
                    for setting in loaded.settings
                },
                "unknown_variables": list(loaded.unknown_variables),
            }
        )
        return
    console = output.console()
    for setting in loaded.settings:
        console.print(f"[bold]{setting.key}[/] = {setting.text or '(none)'}", soft_wrap=True)
        console.print(f"  [dim]{setting.origin}; {setting.variable}[/]", soft_wrap=True)
    console.print(f"[dim]settings file: {loaded.file or 'none found; the defaults are fit to use'}[/]", soft_wrap=True)
    for name in loaded.unknown_variables:
        output.note(f"${name} is set, and no setting has that variable")
