"""Start server, work pool and worker on loopback, deploy prefect.yaml, and stay until Ctrl-C: `make serve`."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from flows import server

POOL = "gauntlet"
STOP_S = 20.0


def ensure_pool() -> None:
    """Create the process work pool where it is missing."""
    from prefect import get_client
    from prefect.client.schemas.actions import WorkPoolCreate
    from prefect.exceptions import ObjectNotFound
    from prefect.workers.process import ProcessWorker

    with get_client(sync_client=True) as client:
        try:
            client.read_work_pool(POOL)
        except ObjectNotFound:
            template = ProcessWorker.get_default_base_job_template()
            client.create_work_pool(WorkPoolCreate(name=POOL, type="process", base_job_template=template))


def prefect(*argv: str) -> list[str]:
    """Return the command line of one `prefect` command under this interpreter."""
    return [sys.executable, "-m", "prefect", "--no-prompt", *argv]


def stop(process: subprocess.Popen) -> None:
    """End a worker: ask, wait for it to end the runs it has in hand, then insist."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
        if process.poll() is not None:
            return
        os.killpg(process.pid, number)
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            continue


def main() -> int:
    """Serve until Ctrl-C or SIGTERM; the worker stops first, then the server."""
    root = Path.cwd()
    if not (root / "prefect.yaml").exists():
        print(
            f"the working folder must hold prefect.yaml; {root} does not; go to the repository's root", file=sys.stderr
        )
        return 78
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    os.environ["GAUNTLET_ROOT"] = str(root)
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(root), os.environ.get("PYTHONPATH")]))
    server.configure(root)
    print("starting the server (about 20 s the first time) ...", flush=True)
    worker, was_there = None, server.running(root) is not None
    try:
        found = server.ensure(root)
        os.environ["PREFECT_API_URL"] = found.api
        ensure_pool()
        deployed = subprocess.run(prefect("deploy", "--all"), stdin=subprocess.DEVNULL, capture_output=True, text=True)
        if deployed.returncode:
            print(deployed.stdout + deployed.stderr, file=sys.stderr)
            return 70
        worker = subprocess.Popen(
            prefect("worker", "start", "--pool", POOL, "--type", "process"), start_new_session=True
        )
        _say(found)
        return worker.wait()
    except server.ServerError as error:
        print(error, file=sys.stderr)
        return 69
    except KeyboardInterrupt:
        return 0
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        if worker:
            stop(worker)
        if not was_there:
            server.stop(root)
        print("stopped", flush=True)


def _say(found: server.Server) -> None:
    program = Path(sys.executable).with_name("prefect")
    shown = program.relative_to(Path.cwd()) if program.is_relative_to(Path.cwd()) else program
    print(
        f"\nPrefect: {found.url}\n\nIn another terminal:\n"
        f"  export PREFECT_API_URL={found.api}\n"
        f"  {shown} deployment run reproduce/gauntlet --watch\n"
        f"  {shown} deployment run reproduce/gauntlet -p 'targets=[\"imagenet_e\"]' --watch\n\nCtrl-C ends all.\n",
        flush=True,
    )


if __name__ == "__main__":
    raise SystemExit(main())
