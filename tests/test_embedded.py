"""The embedded PostgreSQL: first start, later starts, every way it can be killed, and who can reach it."""

from __future__ import annotations

import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

import psutil
import psycopg
import pytest

from app.config import BadSetting, Config
from app.embedded import AlreadyRunning, EmbeddedPostgres, ServerFailed, reach, running_url, serving
from app.embedded.cluster import NoServer, socket_folder
from app.embedded.postmaster import PidFile
from tests.waiting import until

ROOT = Path(__file__).parent.parent
STARTER = """
import signal, sys
from pathlib import Path
from app.embedded import EmbeddedPostgres
server = EmbeddedPostgres(Path(sys.argv[1]), durable=False)
server.start()
print("up", flush=True)
signal.pause()
"""
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


def made_folder():
    """A folder of our own: pytest's are closed again (0700, no access list) whenever another run of it starts."""
    folder = Path(tempfile.mkdtemp(prefix="passerelle-test-"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


place = pytest.fixture(made_folder)


@pytest.fixture(scope="module")
def cluster():
    """One data folder for the module, initialised once; each test starts and kills servers on it."""
    yield from made_folder()


@pytest.fixture
def starter(cluster):
    """Start the server of `cluster` from another process; what is left of those at the end is killed."""
    started = []

    def start():
        started.append(
            subprocess.Popen([sys.executable, "-c", STARTER, str(cluster)], cwd=ROOT, stdout=subprocess.PIPE)
        )
        assert started[-1].stdout.readline() == b"up\n"
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()
        process.stdout.close()
    until(lambda: PidFile.living_server(cluster / "postgres") is None, within=20, describe="no server is left")


@pytest.fixture
def postgres(cluster):
    with EmbeddedPostgres(cluster, durable=False) as postgres:
        yield postgres


def ask(url, question):
    with psycopg.connect(url) as connection:
        return connection.execute(question).fetchone()[0]


def test_a_started_server_answers_at_its_url(postgres):
    assert postgres.is_answering() and postgres.poll() is None
    assert ask(postgres.url(), "SELECT current_database()") == "passerelle"
    assert ask(postgres.url(), "SHOW server_version").startswith("18.")


def test_text_is_utf8_sorted_by_code_point_and_time_is_utc(postgres):
    assert ask(postgres.url(), "SHOW server_encoding") == "UTF8"
    assert ask(postgres.url(), "SHOW timezone") == "UTC"
    assert ask(
        postgres.url(), "SELECT datlocprovider::text || datlocale FROM pg_database WHERE datname = 'passerelle'"
    ) == ("bC.UTF-8")
    assert ask(postgres.url(), "SELECT upper('é') || ('Z' < 'a')::text") == "Étrue"


def test_it_listens_on_no_port_and_its_socket_is_in_a_closed_folder(postgres):
    assert ask(postgres.url(), "SHOW listen_addresses") == ""
    process = PidFile.living_server(postgres.data)
    assert not [c for c in process.net_connections("inet") if c.status == psutil.CONN_LISTEN]
    folder = PidFile.read(postgres.data).socket_folder
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert folder.stat().st_uid == process.uids().real != 0


def test_what_was_sent_never_reaches_the_log(postgres):
    with psycopg.connect(postgres.url(), autocommit=True) as connection:
        connection.execute("CREATE TEMP TABLE person (email text UNIQUE)")
        connection.execute("INSERT INTO person VALUES (%s)", ["ada@example.org"])
        with pytest.raises(psycopg.errors.UniqueViolation):
            connection.execute("INSERT INTO person VALUES ('ada@example.org')")
    log = until(
        lambda: (text := postgres.log_file.read_text()) and "person_email_key" in text and text, describe="logged"
    )
    assert "ada@example.org" not in log


def test_the_product_syncs_every_commit_and_tests_do_not(cluster, postgres):
    assert ask(postgres.url(), "SHOW fsync") == "off"
    durable = EmbeddedPostgres(cluster).spec().argv
    assert not [option for option in durable if option.startswith(("--fsync", "--synchronous", "--full_page"))]


def test_it_stops_at_once_also_with_open_sessions_and_starts_where_it_was(cluster):
    with EmbeddedPostgres(cluster, durable=False) as postgres:
        connection = psycopg.connect(postgres.url(), autocommit=True)
        connection.execute("DROP TABLE IF EXISTS kept; CREATE TABLE kept AS SELECT 42 AS answer")
    connection.close()
    assert running_url(cluster) is None and PidFile.living_server(postgres.data) is None
    with EmbeddedPostgres(cluster, durable=False) as postgres:
        assert ask(postgres.url(), "SELECT answer FROM kept") == 42


def test_every_other_command_finds_the_running_server(cluster, starter):
    assert running_url(cluster) is None
    starter()
    url = running_url(cluster)
    assert ask(url, "SELECT 1") == 1
    assert running_url(cluster, "postgres").startswith("postgresql://postgres@/postgres?host=")
    with serving(Config(home=cluster)) as found:
        assert found == url


def test_a_command_without_a_running_server_starts_one_for_itself(cluster):
    with serving(Config(home=cluster)) as url:
        assert ask(url, "SELECT 1") == 1
    assert running_url(cluster) is None


def test_a_given_database_is_taken_as_it_is(place):
    with serving(Config(home=place, database_url="postgresql://elsewhere/x")) as url:
        assert url == "postgresql://elsewhere/x"
    assert list(place.iterdir()) == []


def test_a_second_start_says_who_has_the_folder_and_leaves_it_alone(cluster, starter):
    process = starter()
    with pytest.raises(AlreadyRunning) as caught:
        EmbeddedPostgres(cluster, durable=False).start()
    assert caught.value.facts["pid"] == str(process.pid)
    assert ask(running_url(cluster), "SELECT 1") == 1


def test_a_killed_server_recovers_with_everything_committed(cluster):
    with EmbeddedPostgres(cluster) as postgres:  # durable, as in the product
        with psycopg.connect(postgres.url(), autocommit=True) as connection:
            connection.execute("CREATE TABLE IF NOT EXISTS survivor (n int)")
            connection.execute("INSERT INTO survivor VALUES (7)")
            os.kill(PidFile.read(postgres.data).pid, signal.SIGKILL)
        until(lambda: postgres.poll() is not None, describe="the kill is noticed")
        assert running_url(cluster) is None, "its pid file is still there, and stale"
        postgres.start()
        assert ask(postgres.url(), "SELECT max(n) FROM survivor") == 7


def test_the_server_does_not_survive_the_kill_of_its_starter(cluster, starter):
    starter().kill()
    until(lambda: PidFile.living_server(cluster / "postgres") is None, within=20, describe="a clean shutdown by itself")
    with EmbeddedPostgres(cluster, durable=False) as postgres:
        assert ask(postgres.url(), "SELECT 1") == 1


def test_an_orphan_is_ended_by_the_next_start(cluster, starter):
    process = starter()
    orphan = PidFile.living_server(cluster / "postgres")
    orphan.suspend()  # it cannot hear that its starter died
    process.kill()
    process.wait()
    orphan.resume()
    with EmbeddedPostgres(cluster, durable=False) as postgres:
        assert PidFile.living_server(postgres.data).pid != orphan.pid
        assert postgres.is_answering()


@pytest.mark.parametrize("stranger", ["this very process", "nobody"])
def test_a_left_over_pid_file_blocks_nothing(cluster, stranger):
    with EmbeddedPostgres(cluster, durable=False) as postgres:
        lines = (postgres.data / "postmaster.pid").read_text().splitlines(keepends=True)
    number = os.getpid() if stranger == "this very process" else 4_194_303
    (postgres.data / "postmaster.pid").write_text("".join([f"{number}\n", *lines[1:]]))
    assert running_url(cluster) is None
    with EmbeddedPostgres(cluster, durable=False) as postgres:
        assert postgres.is_answering()


def test_an_interrupted_first_start_leaves_nothing_half_made(place):
    (place / "postgres.new").mkdir()
    (place / "postgres.new" / "PG_VERSION").write_text("18\n")
    with EmbeddedPostgres(place, durable=False) as postgres:
        assert ask(postgres.url(), "SELECT 1") == 1
    assert not (place / "postgres.new").exists()


def test_a_dropped_database_is_made_again(cluster):
    with (
        EmbeddedPostgres(cluster, durable=False) as postgres,
        psycopg.connect(postgres.url("postgres"), autocommit=True) as connection,
    ):
        connection.execute("DROP DATABASE passerelle")
    with EmbeddedPostgres(cluster, durable=False) as postgres:
        assert ask(postgres.url(), "SELECT current_database()") == "passerelle"


def test_a_broken_folder_is_an_error_with_the_servers_own_words(cluster, place):
    with EmbeddedPostgres(cluster, durable=False) as postgres:
        config = postgres.data / "postgresql.conf"
    kept = config.read_text()
    config.write_text(kept + "no_such_setting = 1\n")
    try:
        with pytest.raises(ServerFailed, match="no_such_setting"):
            EmbeddedPostgres(cluster, durable=False).start()
    finally:
        config.write_text(kept)


def test_a_folder_of_another_version_is_refused_with_the_remedy(place):
    (place / "postgres").mkdir()
    (place / "postgres" / "PG_VERSION").write_text("16\n")
    postgres = EmbeddedPostgres(place)
    with pytest.raises(BadSetting, match="dump it"):
        postgres.ensure_initialised()
    postgres.release()


def test_a_home_that_cannot_be_made_is_refused_by_name(place):
    (place / "file").write_text("")
    with pytest.raises(BadSetting, match="PASSERELLE_HOME"):
        EmbeddedPostgres(place / "file" / "home").start()


def test_without_the_wheel_the_error_says_what_to_do(monkeypatch, place):
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(NoServer, match="DATABASE_URL"):
        EmbeddedPostgres(place)


def test_a_long_path_puts_the_socket_into_a_short_one(place):
    home = place / ("far" * 30) / ("away" * 20)
    with EmbeddedPostgres(home, durable=False) as postgres:
        folder = PidFile.read(postgres.data).socket_folder
        assert folder == socket_folder(home) and len(str(folder)) < 40
        assert ask(running_url(home), "SELECT 1") == 1
    assert not folder.exists()


def test_a_socket_folder_put_there_by_somebody_else_is_refused(place):
    home = place / ("far" * 40)
    folder = socket_folder(home)
    folder.symlink_to(place)
    try:
        with pytest.raises(BadSetting, match="not ours"):
            EmbeddedPostgres(home, durable=False).start()
    finally:
        folder.unlink()


@as_root
def test_root_opens_closed_folders_for_the_servers_account_alone(place):
    closed = place / "closed"
    closed.mkdir(mode=0o700)
    with EmbeddedPostgres(closed / "home", durable=False) as postgres:
        account = reach.server_account(postgres.data)
        assert ask(postgres.url(), "SELECT 1") == 1
        assert reach.can_use(closed, account)
        assert not closed.stat().st_mode & stat.S_IRWXO, "others gain nothing"
        listing = subprocess.run(
            ["/bin/ls", str(closed)], user=account.pw_uid, group=account.pw_gid, extra_groups=[], capture_output=True
        )
        assert listing.returncode != 0, "search, not reading"


@as_root
def test_opening_a_folder_twice_changes_it_once(place):
    account = reach.server_account(place / "none")
    closed = place / "closed"
    closed.mkdir(mode=0o750)
    reach.open_the_way(closed, account)
    once = os.getxattr(closed, reach.ACL)
    reach._let_in(closed, account)
    assert os.getxattr(closed, reach.ACL) == once


@as_root
def test_root_serves_a_users_folder_as_that_user(place):
    data = place / "postgres"
    data.mkdir()
    os.chown(data, 65534, 65534)
    assert reach.server_account(data).pw_uid == 65534


@as_root
def test_an_ordinary_user_runs_it_in_a_temporary_home_without_any_warning(place):
    """Root checks for the user: a shell of `nobody`, HOME fresh and closed, XDG_RUNTIME_DIR unset."""
    home = place / "nobody"
    home.mkdir()
    place.chmod(0o755)
    os.chown(home, 65534, 65534)
    home.chmod(0o700)
    python = _interpreter_for_everybody()
    if python is None:
        pytest.skip("no interpreter that ordinary users may run")
    code = (
        "from pathlib import Path; from app.embedded import EmbeddedPostgres\n"
        "with EmbeddedPostgres(Path.home() / 'p', durable=False) as server: print(server.is_answering())"
    )
    ran = as_nobody([python, "-W", "error", "-c", code], HOME=str(home), PYTHONPATH=os.pathsep.join(sys.path))
    assert (ran.stdout.splitlines()[-1:], ran.stderr) == (["True"], "")


def as_nobody(command, **env):
    return subprocess.run(
        command,
        cwd=ROOT,
        env=env,
        user=65534,
        group=65534,
        extra_groups=[],
        capture_output=True,
        text=True,
        check=False,
    )


def _interpreter_for_everybody():
    """Ours, or the system's of the same version: a virtual environment may lead into a closed folder."""
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    for python in (sys.executable, f"/usr/bin/{version}"):
        with suppress(OSError):
            if as_nobody(["/bin/sh", "-c", '"$0" -c pass', python]).returncode == 0:
                return python
    return None
