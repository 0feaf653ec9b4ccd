"""Write a publication's metadata as an RO-Crate, for archives such as Zenodo and WorkflowHub."""

import json
import mimetypes
from collections.abc import Iterable
from datetime import datetime

from benchmark import __version__
from benchmark.leaderboard.files import file_named
from benchmark.leaderboard.frames.all import Frames
from benchmark.leaderboard.results.origins import provenance_record

FILE = "ro-crate-metadata.json"
LICENSE = "https://www.apache.org/licenses/LICENSE-2.0"
TYPES = {".md": "text/markdown", ".tex": "text/x-tex"}  # not every system knows them


def metadata(frames: Frames, files: Iterable[str], description: str) -> str:
    """Return the metadata as JSON-LD; the same tracked runs give the same text.

    RO-Crate 1.3, https://w3id.org/ro/crate/1.3. The date is that of the last run.
    """
    from rocrate.model import ContextEntity
    from rocrate.rocrate import ROCrate

    results = frames.results
    missing = dict(results.missing)
    record = provenance_record(results.study, results.origins, missing, expected=results.expected)
    crate = ROCrate(gen_preview=False)
    crate.name = f"Crosstalk leaderboard of the study {results.study}"
    crate.description = description or crate.name
    crate.license = LICENSE
    crate.datePublished = datetime.fromisoformat(record["end_time"])
    software = ContextEntity(
        crate,
        "#crosstalk",
        {
            "@type": "SoftwareApplication",
            "name": "Crosstalk",
            "version": __version__,
            "softwareVersion": ", ".join(record["git_commits"]),
        },
    )
    made = {"@type": "CreateAction", "name": "training, evaluation and aggregation"}
    made |= {"startTime": record["start_time"], "endTime": record["end_time"]}
    action = crate.add(ContextEntity(crate, "#study", made))
    action["instrument"] = crate.add(software)
    action["result"] = [crate.add_file(dest_path=name, properties=_file(name)) for name in files]
    return json.dumps(crate.metadata.generate(), indent=1, sort_keys=True) + "\n"


def _file(name: str) -> dict[str, str]:
    ending = name[name.rfind(".") :]
    kind = TYPES.get(ending) or mimetypes.types_map.get(ending, "application/octet-stream")
    known = file_named(name)
    told = known.holds if known else name
    return {"name": told, "encodingFormat": kind}
