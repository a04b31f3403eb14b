"""Settings from flags, environment and, where one of these names it, a file in TOML."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from coalmine.errors import StartupError
from coalmine.settings import Settings, read


def read_settings(given: Mapping[str, Any], environ: Mapping[str, str]) -> Settings:
    """``given`` are flags (None is absent); raises StartupError."""
    path = given.get("settings_file") or environ.get("COALMINE_SETTINGS_FILE")
    return read(given, environ, read_file(Path(path)) if path else None)


def read_file(path: Path) -> dict[str, Any]:
    """What ``path`` says, unchecked; raises StartupError."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise StartupError(f"the settings file {path} cannot be read: {error.strerror}") from None
    except ValueError as error:  # both of TOML and of UTF-8
        raise StartupError(f"the settings file {path} is not TOML: {error}") from None
