"""Made-up secrets and what merely looks like one, in the texts they come in; all from a seed.

Nothing here is a credential, and no whole one stands in the source: a generator joins a public
prefix with random characters when a test runs. Carriers and look-alike templates come in two
halves: `tuning` was looked at while the rules were written, `held` was only scored.
"""

from __future__ import annotations

import base64
import json
import random
import string
import uuid
from collections.abc import Callable, Iterator
from typing import Literal, NamedTuple

__all__ = ["LOOK_ALIKES", "SECRETS", "WRAPPED", "Case", "cases", "look_alikes", "wrapped"]

Half = Literal["tuning", "held"]
Make = Callable[[random.Random], str]

ALNUM = string.ascii_letters + string.digits
LOWER = string.ascii_lowercase + string.digits
UPPER = string.ascii_uppercase + string.digits
URL64 = ALNUM + "-_"
HEX = "0123456789abcdef"
BECH32 = "QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L"


class Case(NamedTuple):
    """A text and the secret in it; secret is "" for a look-alike."""

    kind: str
    half: Half
    text: str
    secret: str


def chars(alphabet: str, length: int, prefix: str = "", suffix: str = "") -> Make:
    """A generator: prefix + `length` random characters + suffix."""
    return lambda r: prefix + "".join(r.choices(alphabet, k=length)) + suffix


def raw64(r: random.Random, size: int) -> str:
    """Base64 of `size` random bytes."""
    return base64.b64encode(r.randbytes(size)).decode()


def url64(value: object) -> str:
    """An unpadded base64url of a JSON value: one part of a JWT."""
    data = json.dumps(value, separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def jwt(r: random.Random) -> str:
    head = url64({"alg": "HS256", "typ": "JWT"})
    body = url64({"sub": str(r.randrange(10**9)), "iat": r.randrange(10**9), "role": "admin"})
    return f"{head}.{body}.{chars(URL64, 43)(r)}"


def pem(label: str, size: int) -> Make:
    """A private key block: base64 lines of 64 between its marks."""

    def make(r: random.Random) -> str:
        body = raw64(r, size)
        lines = [body[i : i + 64] for i in range(0, len(body), 64)]
        dashes = "-" * 5
        return "\n".join([f"{dashes}BEGIN {label}{dashes}", *lines, f"{dashes}END {label}{dashes}"])

    return make


def discord(r: random.Random) -> str:
    user = base64.b64encode(str(r.randrange(10**17, 10**18)).encode()).decode().rstrip("=")
    return f"{user}.{chars(URL64, 6)(r)}.{chars(URL64, 38)(r)}"


def openai(prefix: str, size: int) -> Make:
    mark = "T3Blbk" + "FJ"
    return lambda r: prefix + chars(ALNUM, size)(r) + mark + chars(ALNUM, size)(r)


def password(r: random.Random) -> str:
    """What a person or a generator makes up: letters, a digit, perhaps a sign."""
    words = ("Harbour", "winter", "Kestrel", "copper", "Tulip", "marble", "Saffron", "otter")
    made = (
        lambda: r.choice(words) + str(r.randrange(10, 9999)) + r.choice("!#%*?"),
        lambda: "".join(r.choices(ALNUM, k=r.randrange(12, 24))) + str(r.randrange(10)),
        lambda: r.choice(words) + r.choice("-_.") + r.choice(words).upper() + str(r.randrange(99)),
        lambda: "".join(r.choices(ALNUM + "!#%*+^~", k=14)) + "7x",
    )
    return r.choice(made)()


def signed_password(r: random.Random) -> str:
    """A password with a sign, perhaps one that ends a word elsewhere, within."""
    words = r.sample(("Harb0ur", "w1nter", "K3strel", "c0pper", "Tul1pe", "marb1e"), 2)
    return words[0] + r.choice("&,!;$%|^+") + words[1]


def passphrase(r: random.Random) -> str:
    return " ".join(r.sample(("correct", "horse", "copper", "tulip", "otter", "marble"), 4))


def mixed_key(r: random.Random) -> str:
    return chars(ALNUM, r.choice((29, 37)), "aB3")(r)


def joined(*parts: Make | str) -> Make:
    return lambda r: "".join(part if isinstance(part, str) else part(r) for part in parts)


SELF_EVIDENT: dict[str, tuple[str, Make]] = {
    "aws access key id": ("aws", chars(UPPER[:26] + "234567", 16, "AKIA")),
    "aws temporary key id": ("aws", chars(UPPER[:26] + "234567", 16, "ASIA")),
    "github pat": ("github", chars(ALNUM, 36, "ghp_")),
    "github oauth": ("github", chars(ALNUM, 36, "gho_")),
    "github app": ("github", chars(ALNUM, 36, "ghs_")),
    "github fine-grained": (
        "github",
        joined(chars(ALNUM, 22, "github_pat_"), chars(ALNUM, 59, "_")),
    ),
    "gitlab pat": ("gitlab", chars(URL64, 20, "glpat-")),
    "gitlab trigger": ("gitlab", chars(HEX, 40, "glptt-")),
    "slack bot": (
        "slack",
        joined("xoxb-", chars("123456789", 12), "-", chars("123456789", 12), "-", chars(ALNUM, 24)),
    ),
    "slack user": (
        "slack",
        joined(
            "xoxp-",
            chars("123456789", 12),
            "-",
            chars("123456789", 12),
            "-",
            chars("123456789", 12),
            "-",
            chars(HEX, 32),
        ),
    ),
    "slack app": (
        "slack",
        joined("xapp-1-A", chars(UPPER, 10), "-", chars("123456789", 13), "-", chars(HEX, 64)),
    ),
    "slack webhook": (
        "slack",
        joined(
            "https://hooks.slack.com/services/T",
            chars(UPPER, 10),
            "/B",
            chars(UPPER, 10),
            "/",
            chars(ALNUM, 24),
        ),
    ),
    "stripe live": ("stripe", chars(ALNUM, 24, "sk_live_")),
    "stripe long": ("stripe", chars(ALNUM, 99, "sk_live_51")),
    "stripe restricted": ("stripe", chars(ALNUM, 24, "rk_live_")),
    "google api": ("google", chars(URL64, 35, "AIza")),
    "google oauth secret": ("google", chars(URL64, 28, "GOCSPX-")),
    "anthropic": ("anthropic", chars(URL64, 93, "sk-ant-api03-", "AA")),
    "anthropic admin": ("anthropic", chars(URL64, 93, "sk-ant-admin01-", "AA")),
    "openai project": ("openai", openai("sk-proj-", 74)),
    "openai legacy": ("openai", openai("sk-", 20)),
    "openai service": ("openai", openai("sk-svcacct-", 74)),
    "openai unmarked": ("openai", chars(ALNUM, 48, "sk-proj-")),
    "openai admin": ("openai", chars(URL64, 40, "sk-admin-", "x")),
    "hugging face": ("hf", chars(string.ascii_letters, 34, "hf_")),
    "npm": ("npm", chars(ALNUM, 36, "npm_")),
    "pypi": ("pypi", chars(URL64, 150, "pypi-AgEIcHlwaS5vcmc")),
    "digitalocean": ("digitalocean", chars(HEX, 64, "dop_v1_")),
    "telegram bot": ("telegram", joined(chars("123456789", 10), ":AA", chars(URL64, 33))),
    "discord bot": ("discord", discord),
    "databricks": ("databricks", chars(HEX, 32, "dapi")),
    "vercel": ("vercel", chars(ALNUM, 56, "vcp_")),
    "supabase": ("supabase", chars(HEX, 40, "sbp_")),
    "supabase secret": ("supabase", joined("sb_secret_", chars(URL64, 22), "_", chars(ALNUM, 8))),
    "linear": ("linear", chars(ALNUM, 40, "lin_api_")),
    "notion": ("notion", joined("ntn_", chars("123456789", 11), chars(ALNUM, 35))),
    "age": ("age", chars(BECH32, 58, "AGE-SECRET-KEY-1")),
    "azure client secret": (
        "azure",
        joined(chars(ALNUM, 3), chars("123456789", 1), "Q~", chars(URL64, 34)),
    ),
    "sendgrid": ("sendgrid", joined("SG.", chars(URL64, 22), ".", chars(URL64, 43))),
    "shopify": ("shopify", chars(HEX, 32, "shpat_")),
    "doppler": ("doppler", chars(ALNUM, 43, "dp.pt.")),
    "vault": ("vault", chars(URL64, 95, "hvs.")),
    "terraform cloud": ("terraform", joined(chars(ALNUM, 14), ".atlasv1.", chars(URL64, 67))),
    "grafana": ("grafana", joined(chars(ALNUM, 32, "glsa_"), chars(HEX, 8, "_"))),
    "pulumi": ("pulumi", chars(HEX, 40, "pul-")),
    "rubygems": ("rubygems", chars(HEX, 48, "rubygems_")),
    "docker hub": ("docker", chars(URL64, 27, "dckr_pat_")),
    "figma": ("figma", chars(URL64, 40, "figd_")),
    "postman": ("postman", joined(chars(HEX, 24, "PMAK-"), chars(HEX, 34, "-"))),
    "groq": ("groq", chars(ALNUM, 52, "gsk_")),
    "perplexity": ("perplexity", chars(ALNUM, 48, "pplx-")),
    "replicate": ("replicate", chars(ALNUM, 37, "r8_")),
    "openrouter": ("openrouter", chars(HEX, 64, "sk-or-v1-")),
    "xai": ("xai", chars(ALNUM, 80, "xai-")),
    "new relic": ("newrelic", chars(UPPER, 27, "NRAK-")),
    "atlassian": ("atlassian", chars(URL64, 180, "ATATT3xFfGF0", "=" + "5A1B2C3D")),
    "tailscale": ("tailscale", joined(chars(ALNUM, 16, "tskey-auth-"), chars(ALNUM, 32, "-"))),
    "mailchimp": ("mailchimp", chars(HEX, 32, "", "-us12")),
    "jwt": ("auth", jwt),
}
"""kind → (provider's name, generator): a reader knows these without their surroundings."""

TOKEN_CARRIERS: dict[Half, tuple[str, ...]] = {
    "tuning": (
        "I set up the {name} key yesterday, it is {s}, and everything has worked since then.",
        "{ENV}={s}\nDEBUG=1\nREGION=eu-west-1\n",
        "service:\n  {env}: {s}\n  region: eu-west-1\n",
        '{{"service": "{name}", "{env}": "{s}", "retries": 3}}',
        'client = Client({env}="{s}", timeout=30)',
        "  512  export {ENV}={s}\n  513  make deploy\n",
        "2026-05-17T22:01:09Z INFO loaded {name} credential {s} from disk",
        "| service | key | state |\n|---|---|---|\n| {name} | {s} | active |",
    ),
    "held": (
        "mara: can you try with {s} ?\njo: works, thanks!",
        "Use `{s}` for the staging account of {name}.",
        "const {env} = '{s}';\nmodule.exports = {{ {env} }};",
        "curl -s -H 'X-Api-Key: {s}' https://api.example.com/v1/items",
        "[default]\n{env} = {s}\nregion = eu\n",
        '<add key="{env}" value="{s}" />',
        "WARN retry=3 token={s} status=401 took=31ms",
        "How I did it:\n1. open settings\n2. paste {s}\n3. save and go home",
    ),
}

BLOCKS: dict[str, Make] = {
    "rsa private key": pem("RSA PRIVATE " + "KEY", 600),
    "openssh private key": pem("OPENSSH PRIVATE " + "KEY", 280),
    "ec private key": pem("EC PRIVATE " + "KEY", 121),
    "pkcs8 private key": pem("PRIVATE " + "KEY", 700),
    "encrypted private key": pem("ENCRYPTED PRIVATE " + "KEY", 700),
    "pgp private key": pem("PGP PRIVATE " + "KEY BLOCK", 500),
}

BLOCK_CARRIERS: dict[Half, tuple[str, ...]] = {
    "tuning": (
        "Here is the key of the old box:\n\n{s}\n\nPlease keep it safe.",
        '{{"type": "service", "private_key": "{j}\\n", "id": 7}}',
        "cat > ~/.ssh/id <<'EOF'\n{s}\nEOF\nchmod 600 ~/.ssh/id",
    ),
    "held": (
        "tls:\n  key: |\n{i}\n  port: 443\n",
        'KEY = """{s}"""\n',
        "{s}",
        "jo: it says\n> {s}\nmara: never paste that here",
    ),
}
"""s: the block; j: with \\n for line ends; i: indented."""

IN_CONTEXT: dict[str, tuple[Make, dict[Half, tuple[str, ...]]]] = {
    "aws secret access key": (
        chars(ALNUM + "/+", 40),
        {
            "tuning": (
                "AWS_SECRET_ACCESS_KEY={s}\nAWS_REGION=eu-west-1",
                "[default]\naws_secret_access_key = {s}\n",
                '{{"SecretAccessKey": "{s}"}}',
            ),
            "held": (
                'session = boto3.Session(aws_secret_access_key="{s}")',
                "aws configure set aws_secret_access_key {s}",
                "export AWS_SECRET_ACCESS_KEY='{s}'",
            ),
        },
    ),
    "azure storage": (
        lambda r: raw64(r, 64),
        {
            "tuning": (
                "DefaultEndpointsProtocol=https;AccountName=prod;AccountKey={s};EndpointSuffix=core",
                "conn = 'AccountName=logs;AccountKey={s}'",
            ),
            "held": (
                "az storage blob list --account-name prod --account-key {s}",
                "AZURE_STORAGE_KEY={s}\n",
            ),
        },
    ),
    "azure service bus": (
        lambda r: raw64(r, 32),
        {
            "tuning": (
                "Endpoint=sb://x.servicebus.windows.net/;SharedAccessKeyName=Root;SharedAccessKey={s}",
            ),
            "held": ("SharedAccessKeyName=send;SharedAccessKey={s};EntityPath=orders",),
        },
    ),
    "password in a url": (
        password,
        {
            "tuning": (
                "DATABASE_URL=postgres://app:{p}@db.internal:5432/app",
                "It connects to mysql://root:{p}@10.0.0.5/shop, I believe.",
                'cache = Redis.from_url("redis://:{p}@cache:6379/0")',
            ),
            "held": (
                "broker: amqp://guest:{p}@mq.internal:5672/%2f\n",
                "mongodb+srv://admin:{p}@cluster0.abcde.mongodb.net/?retryWrites=true",
                "git clone https://deploy:{p}@git.example.com/team/repo.git",
            ),
        },
    ),
    "password assigned": (
        password,
        {
            "tuning": (
                "DB_HOST=db\nDB_PASSWORD={s}\nDB_NAME=shop\n",
                '{{"user": "app", "password": "{s}"}}',
                "database:\n  user: app\n  password: {s}\n",
                "conn = connect(host='db', user='app', password='{s}')",
            ),
            "held": (
                "$config['db_passwd'] = '{s}';",
                "Server=db;Database=shop;User Id=sa;Password={s};Encrypt=true",
                "spring.datasource.password={s}\n",
                'smtp_pass = "{s}"\nsmtp_port = 587\n',
                "export PGPASSWORD='{s}'; psql -h db -U app",
                'let opts = {{ user: "app", passphrase: "{s}" }};',
            ),
        },
    ),
    "password on a command line": (
        password,
        {
            "tuning": (
                "mysqldump --user=root --password={q} shop > shop.sql",
                "curl -u admin:{q} https://nexus.example.com/status",
            ),
            "held": (
                "docker login -u deploy --password {q} registry.example.com",
                "sshpass -p {q} ssh root@10.0.0.5",
                "machine git.example.com login deploy password {q}",
            ),
        },
    ),
    "password in a sentence": (
        password,
        {
            "tuning": (
                "The wifi password is {q} and the guest network has none.",
                "His login is mara and the password: {q}, please change it.",
                "I changed my password to {q} last night.",
            ),
            "held": (
                "my password for the staging database is {q}",
                "mara: what's the admin pw?\njo: pw is {q}",
                "Password for the backup drive = {q}",
                "Jo's password's {q}, she said.",
            ),
        },
    ),
    "password with signs": (
        signed_password,
        {
            "tuning": (
                "my password is {s}",
                "db pass = {s}\nhost = db",
                "PASSWORD={s}\n",
                "login: bob / {s}",
            ),
            "held": (
                "password: {s}",
                "She reset her password to {s}, and left.",
                "the wifi password is now {s}.",
                "creds: mara / {s} (staging)",
            ),
        },
    ),
    "passphrase in a sentence": (
        passphrase,
        {
            "tuning": ("the password is '{s}'", 'My password for the vault is "{s}", mind you.'),
            "held": (
                "Her password was '{s}'.",
                "We changed the password to \u201c{s}\u201d today.",
            ),
        },
    ),
    "key in a sentence": (
        mixed_key,
        {
            "tuning": ("My weather key is {s}", "the key: {s}, for the map"),
            "held": ("Our maps key is `{s}`.", "My geocoder API key is {s}.", "weather_key = {s}"),
        },
    ),
    "bearer token": (
        chars(URL64, 40),
        {
            "tuning": (
                "curl -H 'Authorization: Bearer {s}' https://api.example.com/me",
                '{{"headers": {{"Authorization": "Bearer {s}"}}}}',
            ),
            "held": (
                "> GET /me HTTP/1.1\n> Authorization: Bearer {s}\n> Accept: */*",
                "fetch(url, {{ headers: {{ authorization: `Bearer {s}` }} }})",
            ),
        },
    ),
    "basic authorization": (
        lambda r: base64.b64encode(f"deploy:{password(r)}".encode()).decode(),
        {
            "tuning": ("Authorization: Basic {s}\r\nHost: api.example.com\r\n",),
            "held": ('headers["Authorization"] = "Basic {s}"',),
        },
    ),
    "generic api key": (
        chars(ALNUM, 32),
        {
            "tuning": (
                'api_key = "{s}"',
                "WEATHER_API_KEY={s}\n",
                "x-api-key: {s}\n",
            ),
            "held": (
                '"apiKey": "{s}",',
                "export SERVICE_TOKEN={s}",
                "client_secret: {s}\n",
                "GET https://api.example.com/v1/items?access_token={s}&page=2",
            ),
        },
    ),
    "hex secret": (
        chars(HEX, 32),
        {
            "tuning": ("SESSION_SECRET={s}\n", "auth_token: '{s}'\n"),
            "held": ('app.secret_key = "{s}"', "TWILIO_AUTH_TOKEN={s}"),
        },
    ),
    "twilio key": (
        chars(HEX, 32, "SK"),
        {
            "tuning": ("TWILIO_API_KEY={s}\n",),
            "held": ("the twilio api key {s} is for the sms job",),
        },
    ),
    "datadog": (
        chars(HEX, 32),
        {
            "tuning": ("DD_API_KEY={s}\nDD_SITE=datadoghq.eu\n",),
            "held": ("datadog:\n  apiKey: {s}\n",),
        },
    ),
}
"""kind → (generator, templates): only the surroundings show that it is one."""

SECRETS = (*SELF_EVIDENT, *BLOCKS, *IN_CONTEXT)


def cases(half: Half, seed: int = 7, rounds: int = 4) -> Iterator[Case]:
    """Texts with one secret each. rounds: of each kind at least that many."""
    r = random.Random(f"{seed} {half}")
    for kind, (name, make) in SELF_EVIDENT.items():
        for carrier in r.sample(TOKEN_CARRIERS[half], rounds):
            yield _token_case(kind, half, carrier, name, make(r))
    for kind, make in BLOCKS.items():
        for i in range(rounds):
            yield _block_case(
                kind, half, BLOCK_CARRIERS[half][i % len(BLOCK_CARRIERS[half])], make(r)
            )
    for kind, (make, templates) in IN_CONTEXT.items():
        for i in range(max(rounds, len(templates[half]))):
            secret = _fit(make(r), templates[half][i % len(templates[half])])
            text = templates[half][i % len(templates[half])].format(s=secret, p=secret, q=secret)
            yield Case(kind, half, text, secret)


def _token_case(kind: str, half: Half, carrier: str, name: str, secret: str) -> Case:
    env = f"{name}_token"
    text = carrier.format(name=name, env=env, ENV=env.upper(), s=secret)
    return Case(kind, half, text, secret)


def _block_case(kind: str, half: Half, carrier: str, block: str) -> Case:
    escaped = block.replace("\n", "\\n")
    indented = "\n".join("    " + line for line in block.splitlines())
    secret = escaped if "{j}" in carrier else indented.strip() if "{i}" in carrier else block
    return Case(kind, half, carrier.format(s=block, j=escaped, i=indented), secret)


def _fit(secret: str, template: str) -> str:
    """A URL or a shell would have some signs escaped or quoted; they are left out there."""
    if "{p}" in template or "{q}" in template:
        return secret.translate(dict.fromkeys(map(ord, "#%?*!^~"), "x"))
    return secret


def _uuid(r: random.Random) -> str:
    return str(uuid.UUID(int=r.getrandbits(128), version=4))


SENTENCE = (
    "the harbour was quiet and nobody asked about the old importer before winter came so we left "
    "the column order as it stood and wrote a note for finance in plain English"
)
WORDS = SENTENCE.split()


def _prose(r: random.Random) -> str:
    return " ".join(r.choices(WORDS, k=r.randrange(8, 30)))


def _prose64(r: random.Random) -> str:
    return base64.b64encode(_prose(r).encode()).decode()


def _image64(r: random.Random) -> str:
    head = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR"
    return base64.b64encode(head + r.randbytes(r.randrange(60, 900))).decode()


def _long_name(r: random.Random) -> str:
    return r.choice(
        (
            "".join(word.title() for word in r.choices(WORDS, k=7)) + "FactoryBean",
            "_".join(r.choices(WORDS, k=7)) + "_v2",
            "-".join(r.choices(WORDS, k=6)) + f"-{r.randrange(10**6)}",
            ".".join(["com", "example", *r.choices(WORDS, k=5)]) + ".Handler",
        )
    )


def _minified(r: random.Random) -> str:
    def one() -> str:
        a, b, c = r.choices(string.ascii_letters, k=3)
        return f"function {a}({b},{c}){{return {b}<{c}?{a}({b}+1,{c}):{b}.t[{r.randrange(99)}]}};"

    return "!" + "".join(one() for _ in range(r.randrange(3, 12))) + "var token=n.token,key=e.key;"


def _public_key(r: random.Random) -> str:
    body = "AAAAC3NzaC1lZDI1NTE5AAAAI" + "".join(r.choices(ALNUM + "+/", k=43))
    rsa = "AAAAB3NzaC1yc2EAAAADAQABAAABgQ" + "".join(r.choices(ALNUM + "+/", k=340))
    return r.choice((f"ssh-ed25519 {body} mara@laptop", f"ssh-rsa {rsa} jo@build"))


def _placeholder(r: random.Random) -> str:
    return r.choice(
        (
            "sk-xxxxxxxxxxxxxxxxxxxxxxxx",
            "YOUR_API_KEY",
            "your-api-key-here",
            "${TOKEN}",
            "$TOKEN",
            "<password>",
            "<your-token>",
            "{{ secret }}",
            "********",
            "changeme",
            "ghp_" + "x" * 36,
            "sk-ant-...",
            "sk-ant-api03-" + "X" * 24,
            "xxxxxxxx",
            "[redacted: password]",
            "REPLACE_ME",
            "os.environ['TOKEN']",
            "process.env.TOKEN",
            "null",
            "%(password)s",
            "sk-proj-…",
            "AKIA" + "X" * 16,
        )
    )


def _phone(r: random.Random) -> str:
    return f"+{r.randrange(1, 99)} {r.randrange(100, 999)} {r.randrange(10**6, 10**7)}"


def _isbn(r: random.Random) -> str:
    group, check = r.randrange(10), r.randrange(10)
    return f"978-{group}-{r.randrange(10**4, 10**5)}-{r.randrange(100, 999)}-{check}"


def _tool_id(r: random.Random) -> str:
    size = r.choice((22, 24))
    return r.choice(("toolu_01", "call_", "msg_01", "req_01", "chatcmpl-")) + chars(ALNUM, size)(r)


def _context_id(r: random.Random) -> str:
    return "ctx_" + base64.b32encode(r.randbytes(16)).decode().rstrip("=").lower()


def _password_prose(r: random.Random) -> str:
    return r.choice(
        (
            "The password is never stored; only its hash is.",
            "A password must have at least 12 characters, a digit and a sign.",
            "We forgot the password, so Mara will reset it on Tuesday.",
            "Passwords: use a manager. Tokens: rotate them each 90 days.",
            "The token is expired and the secret was rotated in May.",
            "Our secret: we write the tests first.",
            "api key: see the vault, entry 'weather'",
            "token: string (required), the caller's access token",
            "The API key goes into the header X-Api-Key.",
            "Use a bearer token for the Authorization header.",
            "password = getpass.getpass('Password: ')",
            "the password field is called user_password_confirmation",
            "secret = load_secret('weather/api-key')",
            "password: Annotated[str, Field(min_length=8)]",
            "The key is under the mat; the password is written on paper.",
            "if password != confirm_password: raise ValueError('passwords differ')",
            "tokens=4096 max_tokens=1024 token_count=318",
            "Kubernetes reads the secret: secretKeyRef name=db key=password",
            "Reset my password: https://example.com/reset-password",
            "self.token = token; self.api_key = settings.api_key",
            "const token = await getAccessToken(user.id);",
            "The word secret is from Latin secretus; password is from pass and word.",
            "the password is in the vault",
            "password: required",
            "the key is to listen",
            "key is caps lock",
            "my password is too long",
            "token: string",
            "I changed my password to something that I can remember.",
            "The form says the password is 'too short', or 'required'.",
            "login: bob / alice, whoever is in",
            "the password to server12 is in the vault",
            "tests pass: 12,fail:3,skip:1",
            "password: string,min8,max64",
            "My password's strength is low; the password is `hashed`.",
        )
    )


def _url(r: random.Random) -> str:
    return r.choice(
        (
            f"https://example.com/{r.choice(WORDS)}/{_uuid(r)}?page={r.randrange(99)}",
            "postgres://localhost:5432/app",
            "redis://cache:6379/0",
            "git@github.com:team/repo.git",
            "https://user@example.com/repo.git",
            f"s3://bucket-{r.randrange(10**6)}/2026/05/17/part-{r.randrange(10**5):05}.parquet",
            "mailto:mara@example.com?subject=token",
            f"http://localhost:{r.randrange(1024, 9999)}/@scope/pkg:latest@2",
        )
    )


def _code(r: random.Random) -> str:
    return r.choice(
        (
            f"def {_long_name(r).replace('.', '_').replace('-', '_')}(token: str) -> None: ...",
            "for (let i = 0; i < tokens.length; i++) { key = tokens[i].key; }",
            'assert parser.parse("key=value;token=abc") == {"key": "value"}',
            "SELECT id, password_hash FROM users WHERE token_id = $1",
            "import { ApiKeyService } from './services/api-key.service';",
            "@pytest.mark.parametrize(('key', 'token'), [(1, 2), (3, 4)])",
            f'version = "{r.randrange(9)}.{r.randrange(99)}.{r.randrange(99)}"  # token bucket',
            "git log --format=%H -n 1 | cut -c1-12 && npm run build:secrets-page",
        )
    )


LOOK_ALIKES: dict[str, Make] = {
    "uuid": _uuid,
    "sha256": chars(HEX, 64),
    "sha1": chars(HEX, 40),
    "md5": chars(HEX, 32),
    "short git hash": chars(HEX, 7),
    "sha512 integrity": lambda r: "sha512-" + raw64(r, 64),
    "sha256 image": chars(HEX, 64, "sha256:"),
    "context id": _context_id,
    "tool id": _tool_id,
    "base64 of prose": _prose64,
    "base64 image": _image64,
    "data uri": lambda r: "data:image/png;base64," + _image64(r),
    "public key": _public_key,
    "placeholder": _placeholder,
    "url": _url,
    "long name": _long_name,
    "minified": _minified,
    "colour": chars(HEX, 6, "#"),
    "phone": _phone,
    "isbn": _isbn,
    "prose": _prose,
    "password prose": _password_prose,
    "code": _code,
    "ulid": chars("0123456789ABCDEFGHJKMNPQRSTVWXYZ", 26),
    "path": lambda r: "/usr/lib/python3.11/" + "/".join(r.choices(WORDS, k=6)) + f"-{_uuid(r)}.so",
    "number": lambda r: str(r.randrange(10**15, 10**19)),
    "traceparent": lambda r: f"00-{chars(HEX, 32)(r)}-{chars(HEX, 16)(r)}-01",
    "etag": lambda r: f'W/"{chars(HEX, 4)(r)}-{chars(ALNUM + "+/", 27)(r)}"',
}

LOOK_ALIKE_CARRIERS: dict[Half, tuple[str, ...]] = {
    "tuning": (
        "The build of Tuesday is {x}, please compare.",
        "id: {x}\nstate: done\n",
        '{{"id": "{x}", "retries": 3}}',
        "2026-05-17T22:01:09Z INFO request {x} took 31 ms",
        "| 7 | {x} | ok |",
        "{x}",
        "API_KEY={k}\nDIGEST={x}\n",
        "She cherry-picked {x} onto the release branch.",
    ),
    "held": (
        "mara: which one?\njo: {x}\nmara: thanks",
        "    checksum = '{x}'\n",
        "See `{x}` in the notes of github and stripe.",
        "resolved {x}\nintegrity ok\n",
        "key: {x}\n",
        "Session {x} was closed; the token had expired.",
        "PASSWORD={k}\nBUILD={x}\n",
        "<a href='#' data-id='{x}'>open</a>",
    ),
}
"""x: the look-alike; k: a placeholder."""


def look_alikes(half: Half, seed: int = 11, rounds: int = 24) -> Iterator[Case]:
    """Texts without a secret, `rounds` of each kind."""
    r = random.Random(f"{seed} {half}")
    for kind, make in LOOK_ALIKES.items():
        for i in range(rounds):
            carrier = LOOK_ALIKE_CARRIERS[half][i % len(LOOK_ALIKE_CARRIERS[half])]
            yield Case(kind, half, carrier.format(x=make(r), k=_placeholder(r)), "")


WRAPPED: dict[str, Callable[[str], str]] = {
    "spaced": " ".join,
    "split over two lines": lambda s: s[: len(s) // 2] + "\n" + s[len(s) // 2 :],
    "split by a concatenation": lambda s: f'"{s[: len(s) // 2]}" + "{s[len(s) // 2 :]}"',
    "base64": lambda s: base64.b64encode(s.encode()).decode(),
    "base64 of a line": lambda s: base64.b64encode(f"API_TOKEN={s}\n".encode()).decode(),
    "percent-encoded": lambda s: s.replace("-", "%2D").replace("_", "%5F"),
    "zero width": lambda s: "\u200b".join(s),
    "reversed": lambda s: s[::-1],
    "hex": lambda s: s.encode().hex(),
}


def wrapped(seed: int = 13) -> Iterator[Case]:
    """Self-evident secrets in a disguise; no promise is made about these."""
    r = random.Random(seed)
    for way, wrap in WRAPPED.items():
        for name, make in SELF_EVIDENT.values():
            hidden = wrap(make(r))
            yield Case(way, "held", f"For {name} use {hidden} as the key.", hidden)
