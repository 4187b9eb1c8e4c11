"""Settings: read once, wrong ones named with key, value and mend, secrets hidden."""

import pytest

from clew.model.errors import SettingsError
from clew.model.secret import Secret
from clew.settings import Address, Settings, load_settings, variable_of

KEY = "ab" * 32


def settings_of(tmp_path, text, env=None, overrides=None):
    file = tmp_path / "clew.yaml"
    file.write_text(text)
    return load_settings(file, env or {}, overrides)


def test_nothing_set_is_a_good_setting():
    assert repr(load_settings(None, {})) == repr(Settings())


def test_an_empty_file_name_is_not_set(tmp_path):
    file = tmp_path / "clew.yaml"
    file.write_text("notify:\nrules: ''\n")
    for settings in (
        load_settings(None, {f"CLEW_{name}": "" for name in ("FLOW", "RULES", "NOTIFY", "REACTIONS")}),
        load_settings(file, {"CLEW_RULES": ""}),
    ):
        assert (settings.flow, settings.rules, settings.notify, settings.reactions) == ((), None, None, None)


def test_every_kind_of_value_is_read_from_a_file(tmp_path):
    read = settings_of(
        tmp_path,
        f"""
data: /srv/clew
flow: [a.yaml, b.yaml]
otlp: {{http: 127.0.0.1:5318, grpc: "[::1]:5317", memory: 128MiB, max_request: 33554432}}
api: {{listen: "5380", public_url: "https://clew.example.org/", hosts: [clew, "fd00::7"]}}
encryption: {{key: {KEY.upper()}}}
rules: rules.yaml
notify: notify.yaml
reactions: reactions.yaml
control: {{url: "postgresql://clew:hidden@db/clew"}}
retention: {{spans: 7d, events: never, figures: 90d}}
masking: {{removed: [secret.key], shortened: []}}
engine: {{memory: 2GiB}}
log: {{level: DEBUG}}
""",
    )
    assert str(read.data) == "/srv/clew"
    assert [str(path) for path in read.flow] == ["a.yaml", "b.yaml"]
    assert (read.otlp_http, read.otlp_grpc) == (Address("127.0.0.1", 5318), Address("::1", 5317))
    assert (read.otlp_memory, read.otlp_max_request, read.engine_memory) == (128 << 20, 32 << 20, 2 << 30)
    assert read.api_listen == Address("127.0.0.1", 5380)
    assert read.api_public_url == "https://clew.example.org"
    assert read.api_hosts == ("clew", "fd00::7")
    assert read.encryption_key.reveal() == KEY
    assert [str(path) for path in (read.rules, read.notify, read.reactions)] == [
        *("rules.yaml", "notify.yaml", "reactions.yaml"),
    ]
    assert read.control_url.reveal() == "postgresql://clew:hidden@db/clew"
    assert "hidden" not in repr(read)
    assert (read.retention_spans_days, read.retention_events_days, read.retention_figures_days) == (7, 0, 90)
    assert (read.masking_removed, read.masking_shortened, read.masking_urls) == (("secret.key",), (), None)
    assert read.log_level == "debug"


def test_the_command_line_outranks_the_environment_and_this_the_file(tmp_path):
    text, env = "log: {level: info}\ndata: file", {"CLEW_LOG_LEVEL": "error", "CLEW_DATA": "env"}
    read = settings_of(tmp_path, text, env, {"data": "option"})
    assert (read.log_level, str(read.data)) == ("error", "option")
    assert settings_of(tmp_path, text).log_level == "info"


@pytest.mark.parametrize(
    ("key", "value", "mend"),
    [
        ("otlp.http", "localhost", "write host:port"),
        ("otlp.http", "127.0.0.1:99999", "write host:port"),
        ("otlp.http", "0.0.0.0:4318", "allow_plain"),
        ("api.listen", "example.org:80", "allow_plain"),
        ("api.public_url", "clew.example.org", "https://"),
        ("api.public_url", "https://a.b/?x", "https://"),
        ("api.hosts", "clew,https://a.b", "names or addresses"),
        ("api.hosts", "clew:4380", "names or addresses"),
        ("otlp.memory", "lots", "write a size"),
        ("otlp.memory", "1KiB", "at least 1 MiB"),
        ("engine.memory", "1MiB", "at least 256 MiB"),
        ("retention.spans", "1 week", "write days"),
        ("retention.spans", "36h", "whole days"),
        ("allow_plain", "maybe", "true or false"),
        ("encryption.key", "1234", "openssl rand -hex 32"),
        ("encryption.key_file", "/no/such/file", "can't be read"),
        ("log.level", "loud", "debug, info"),
    ],
)
def test_a_wrong_value_is_named_with_its_mend(key, value, mend):
    with pytest.raises(SettingsError) as caught:
        load_settings(None, {variable_of(key): value})
    assert key in str(caught.value)
    assert mend in str(caught.value)
    assert (value in str(caught.value)) is (key != "encryption.key")


def test_all_mistakes_of_a_file_are_named_at_once_with_their_lines(tmp_path):
    with pytest.raises(SettingsError) as caught:
        settings_of(tmp_path, "\notlp:\n  htpp: 127.0.0.1:1\nlog: {level: loud}\ndatta: x\n")
    message = str(caught.value)
    assert "clew.yaml:3: unknown key 'htpp'; did you mean 'http'?" in message
    assert "clew.yaml:4: log.level = 'loud'" in message
    assert "clew.yaml:5: unknown key 'datta'; did you mean 'data'?" in message


def test_an_unknown_variable_is_a_mistake_and_others_programs_variables_are_not():
    with pytest.raises(SettingsError, match="CLEW_OTLP_HTPP"):
        load_settings(None, {"CLEW_OTLP_HTPP": "x", "PATH": "/bin"})


@pytest.mark.parametrize("text", ["- a\n- b\n", "otlp: [1]", "data: {a: b}"])
def test_a_file_of_another_shape_is_refused(tmp_path, text):
    with pytest.raises(SettingsError):
        settings_of(tmp_path, text)


@pytest.mark.parametrize("text", ["a: [", "\x00", "a: &x *y"])
def test_a_file_that_is_no_yaml_is_refused(tmp_path, text):
    with pytest.raises(SettingsError, match="YAML"):
        settings_of(tmp_path, text)


def test_a_missing_file_is_told(tmp_path):
    with pytest.raises(SettingsError, match="check --config"):
        load_settings(tmp_path / "none.yaml", {})


@pytest.mark.parametrize("content", ["", "\n", KEY[:-1], KEY + KEY])
def test_an_empty_or_wrong_key_stops_the_start_instead_of_storing_in_clear(tmp_path, content):
    (tmp_path / "key").write_text(content)
    with pytest.raises(SettingsError, match="64 hexadecimal digits"):
        load_settings(None, {"CLEW_ENCRYPTION_KEY_FILE": str(tmp_path / "key")})
    with pytest.raises(SettingsError, match="64 hexadecimal digits"):
        load_settings(None, {"CLEW_ENCRYPTION_KEY": content})


def test_two_keys_are_one_too_many(tmp_path):
    (tmp_path / "key").write_text(KEY)
    with pytest.raises(SettingsError, match="both set"):
        load_settings(None, {"CLEW_ENCRYPTION_KEY_FILE": str(tmp_path / "key"), "CLEW_ENCRYPTION_KEY": "ab" * 32})


def test_a_key_can_come_from_a_file(tmp_path):
    (tmp_path / "key").write_text(KEY + "\n")
    assert load_settings(None, {"CLEW_ENCRYPTION_KEY_FILE": str(tmp_path / "key")}).encryption_key.reveal() == KEY


def test_a_secret_never_prints_itself():
    assert KEY not in repr(Settings(encryption_key=Secret(KEY)))
    assert KEY not in f"{Secret(KEY)}"
    assert not Secret("")


def test_plain_listening_beyond_this_machine_can_be_allowed_on_purpose():
    allowed = load_settings(None, {"CLEW_OTLP_HTTP": "0.0.0.0:4318", "CLEW_ALLOW_PLAIN": "true"})
    assert allowed.otlp_http.host == "0.0.0.0"


def test_a_wrong_address_of_a_database_is_not_shown(tmp_path):
    with pytest.raises(SettingsError, match="write postgresql://") as raised:
        settings_of(tmp_path, "control: {url: 'mysql://clew:hidden@db'}")
    assert "hidden" not in str(raised.value)
