"""What draws rollouts is a setting: TRL's configuration says it, and what is missing is told."""

import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from projects import Project

from benchmark.commands.jobs.rollouts import own_server, rollout_config
from benchmark.commands.jobs.trainer import make_config, make_trainer
from benchmark.common.errors import CrosstalkError
from benchmark.models.policy import engines as backends
from benchmark.study import Cell


@pytest.fixture
def with_vllm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backends, "version", lambda name: "0.31.0")


@pytest.fixture
def server() -> Iterator[str]:
    """The address of a server that says it is well, as vLLM's does."""

    class Health(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path == "/health" else 404)
            self.end_headers()

        def log_message(self, *arguments: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Health) as served:
        threading.Thread(target=served.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{served.server_port}"
        served.shutdown()


def cell_of(project: Project, rollouts: str, resources: str = "{}") -> Cell:
    entry = f"tiny: {{path: model, resources: {resources}}}\n"
    (project.root / "models.yaml").write_text(entry)
    return project.cell(training={"rollouts": rollouts})


def test_without_the_setting_nothing_changes(project: Project, tmp_path: Path) -> None:
    cell = project.cell()
    assert cell.study.file.training.rollouts == "transformers"
    assert rollout_config(cell) == {}
    assert not make_config(cell, tmp_path).use_vllm


@pytest.mark.usefixtures("with_vllm")
def test_an_engine_beside_the_training_takes_the_models_share(project: Project) -> None:
    config = rollout_config(cell_of(project, "vllm", "{vllm_memory: 0.45}"))
    assert config == {
        "use_vllm": True,
        "vllm_mode": "colocate",
        "vllm_gpu_memory_utilization": 0.45,
    }
    assert rollout_config(cell_of(project, "vllm"))["vllm_gpu_memory_utilization"] == 0.3


@pytest.mark.usefixtures("with_vllm")
def test_a_server_that_answers_is_taken(project: Project, server: str) -> None:
    config = rollout_config(cell_of(project, "vllm-server", f"{{vllm_server: {server}/}}"))
    assert config["vllm_mode"] == "server"
    assert config["vllm_server_base_url"] == server


@pytest.mark.usefixtures("with_vllm")
def test_a_server_that_cannot_be_reached_is_told(project: Project, server: str) -> None:
    address = "http://127.0.0.1:9"  # the port of `discard`, where nothing listens
    cell = cell_of(project, "vllm-server", f"{{vllm_server: '{address}'}}")
    with pytest.raises(CrosstalkError, match=f"tiny: .*vllm_server: {address} cannot be reached"):
        make_trainer(cell, project.root / "run")


def test_a_server_that_no_model_names_is_told_on_reading(project: Project) -> None:
    with pytest.raises(CrosstalkError, match=r"tiny: resources\.vllm_server: expected http"):
        cell_of(project, "vllm-server")


def test_rollouts_of_vllm_need_it(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmark.models.policy.engines.vllm_version", lambda: None)
    with pytest.raises(CrosstalkError, match=r"training\.rollouts: found 'vllm', but .* not inst"):
        make_trainer(cell_of(project, "vllm"), project.root / "run")


@pytest.mark.parametrize("share", ["0", "1.0", "'half'"])
def test_a_share_that_is_none_is_refused(project: Project, share: str) -> None:
    with pytest.raises(CrosstalkError, match="vllm_memory"):
        cell_of(project, "vllm", f"{{vllm_memory: {share}}}")


def test_one_cell_at_a_time_holds_a_server(project: Project) -> None:
    cell = cell_of(project, "vllm-server", "{vllm_server: 'http://gpu1:8000'}")
    lock = project.root / "results" / ".http-gpu1-8000.lock"
    entered = threading.Event()

    def second() -> None:
        with own_server(cell):
            entered.set()

    with own_server(cell):
        waiting = threading.Thread(target=second)
        waiting.start()
        assert lock.is_file()
        assert not entered.wait(0.5)
    waiting.join(10)
    assert entered.is_set()


def test_rollouts_are_part_of_what_determines_a_cell(project: Project) -> None:
    plain = project.cell().training_hash
    assert cell_of(project, "vllm").training_hash != plain
    shared = cell_of(project, "vllm", "{vllm_memory: 0.5}").training_hash
    assert shared == cell_of(project, "vllm").training_hash
