"""How many kinds of secrets that public scanners know are masked.

Most kinds and shapes are those of gitleaks' rules; some more are known from detect-secrets and from
the services. A kind that is known by the name beside it stands here under a name that is usual for
it. Every value is made up here, from its shape. The patterns were made with this list at hand: it
guards what they do, and is no estimate of what they miss elsewhere.
"""

from __future__ import annotations

import random
import re
import string

from z4j_django.secrets.masking import mask_text

#: Kinds that are not masked. The number may fall, and never grow.
MISSES = 5

_LETTERS = {
    "d": string.digits,
    "h": "0123456789abcdef",
    "i": string.digits,
    "l": string.ascii_letters,
    "a": string.ascii_lowercase + string.digits,
    "A": string.ascii_uppercase + string.digits,
    "m": string.ascii_letters + string.digits,
    "w": string.ascii_letters + string.digits + "_-",
    "b": string.ascii_letters + string.digits + "+/",
}
#: ``{m36}`` stands for 36 letters of the alphabet ``m``; ``i`` is an id, which may be shown.
_PART = re.compile(r"\{([a-zA-Z])(\d+)\}")
#: A part that is shorter tells nothing by itself.
_TELLING = 8

SHAPES = r"""
1password-secret-key             A3-{A6}-{A6}-{A5}-{A5}-{A5}-{A5}
1password-service-account        ops_eyJ{b250}
adafruit                         ADAFRUIT_IO_KEY={w32}
adobe-client-id                  ADOBE_CLIENT_ID={h32}
adobe-client-secret              p8e-{a32}
age                              AGE-SECRET-KEY-1{A58}
airtable                         AIRTABLE_API_KEY={a17}
airtable-personal                AIRTABLE_TOKEN: pat{m14}.{h64}
algolia                          ALGOLIA_ADMIN_KEY={a32}
alibaba-access-key-id            LTAI{m20}
alibaba-secret                   ALIBABA_CLOUD_ACCESS_KEY_SECRET={m30}
anthropic                        sk-ant-api03-{w93}AA
anthropic-admin                  sk-ant-admin01-{w93}AA
artifactory                      AKCp{m69}
artifactory-reference            cmVmd{m59}
asana-client-secret              ASANA_CLIENT_SECRET={a32}
atlassian                        ATATT3{w186}
atlassian-older                  JIRA_API_TOKEN={a20}{h4}
authress                         sc_{a10}.{a5}.acc_{a12}.{a40}
aws-access-key-id                AKIA{A16}
aws-session-key-id               ASIA{A16}
aws-secret-access-key            aws_secret_access_key = {b40}
aws-session-token                AWS_SESSION_TOKEN={b200}==
azure-ad-client-secret           {m3}8Q~{w34}
azure-storage                    DefaultEndpointsProtocol=https;AccountName=x;AccountKey={b86}==;EndpointSuffix=y
basic-auth-url                   https://user:{m16}@host.example/x
beamer                           BEAMER_API_KEY=b_{a44}
bitbucket-client-secret          BITBUCKET_CLIENT_SECRET={w64}
bitbucket-app-password           ATBB{m32}
bittrex                          BITTREX_API_SECRET={a32}
cisco-meraki                     X-Cisco-Meraki-API-Key: {h40}
clickhouse-cloud                 4b1d{m38}
clojars                          CLOJARS_{a60}
cloudant                         https://user:{h64}@x.cloudant.example
cloudflare                       CLOUDFLARE_API_TOKEN={w40}
cloudflare-global                X-Auth-Key: {h37}
cloudflare-origin-ca             v1.0-{h24}-{h146}
codecov                          CODECOV_TOKEN={a32}
cohere                           CO_API_KEY={m40}
coinbase                         COINBASE_API_SECRET={w64}
confluent                        CONFLUENT_CLOUD_API_SECRET={a64}
contentful                       CONTENTFUL_ACCESS_TOKEN={w43}
curl-header                      curl -H "X-Api-Key: {m32}" https://x.example
curl-user                        curl -u "user:{m20}" https://x.example
databricks                       dapi{h32}
datadog-api                      DD_API_KEY={h32}
datadog-application              DD_APP_KEY={h40}
defined-networking               dnkey-{w26}-{w52}
digitalocean-personal            dop_v1_{h64}
digitalocean-oauth               doo_v1_{h64}
digitalocean-refresh             dor_v1_{h64}
discord-bot                      DISCORD_TOKEN=M{m23}.{m6}.{w27}
discord-client-secret            DISCORD_CLIENT_SECRET={w32}
discord-webhook                  https://discord.com/api/webhooks/{i18}/{w68}
docker-hub                       dckr_pat_{w27}
doppler                          dp.pt.{m43}
droneci                          DRONE_TOKEN={m32}
dropbox-short-lived              sl.{w135}
dropbox-long-lived               DROPBOX_ACCESS_TOKEN={a11}AAAAAAAAAA{a43}
duffel                           duffel_live_{w43}
dynatrace                        dt0c01.{A24}.{A64}
easypost                         EZAK{m54}
easypost-test                    EZTK{m54}
etsy                             ETSY_API_KEY={a24}
facebook-app                     {i15}|{w27}
facebook-page                    EAAC{m120}
facebook-secret                  FACEBOOK_APP_SECRET={h32}
fastly                           Fastly-Key: {w32}
figma                            figd_{w40}
finicity                         Finicity-App-Key: {h32}
finnhub                          FINNHUB_API_KEY={a20}
flickr                           FLICKR_API_SECRET={h16}
flutterwave                      FLWSECK_TEST-{h32}-X
flyio                            fo1_{w43}
flyio-macaroon                   fm2_{b120}
frameio                          fio-u-{w64}
freshbooks                       FRESHBOOKS_CLIENT_SECRET={a64}
gcp-api-key                      AIza{w35}
gcp-oauth-secret                 GOCSPX-{w28}
gcp-oauth-access                 ya29.{w120}
gcp-service-account              "private_key": "-----BEGIN PRIVATE KEY-----\n{b64}\n{b64}\n-----END PRIVATE KEY-----\n"
github-personal                  ghp_{m36}
github-fine-grained              github_pat_{m22}_{m59}
github-oauth                     gho_{m36}
github-app-user                  ghu_{m36}
github-app-server                ghs_{m36}
github-refresh                   ghr_{m36}
gitlab-personal                  glpat-{w20}
gitlab-routable                  glpat-{w27}.{a9}
gitlab-pipeline-trigger          glptt-{h40}
gitlab-runner                    glrt-{w20}
gitlab-runner-registration       GR1348941{w20}
gitlab-deploy                    gldt-{w20}
gitlab-job                       glcbt-{m4}_{w20}
gitlab-feed                      glft-{w20}
gitlab-feature-flag              glffct-{w20}
gitlab-incoming-mail             glimt-{w25}
gitlab-agent                     glagent-{w50}
gitlab-oauth-app                 gloas-{w64}
gitlab-scim                      glsoat-{w20}
gitlab-session                   _gitlab_session={a32}
gocardless                       GC_ACCESS_TOKEN=live_{w40}
grafana-api-key                  eyJrIjoi{m90}==
grafana-cloud                    glc_{b60}
grafana-service-account          glsa_{m32}_{h8}
groq                             gsk_{m52}
harness                          pat.{w22}.{m24}.{m20}
hashicorp-terraform              {i14}.atlasv1.{w64}
hashicorp-vault-service          hvs.{w95}
hashicorp-vault-batch            hvb.{w140}
hashicorp-vault-legacy           s.{m24}
heroku                           HEROKU_API_KEY={h8}-{h4}-{h4}-{h4}-{h12}
heroku-v2                        HRKU-AA{w58}
hubspot                          HUBSPOT_API_KEY={h8}-{h4}-{h4}-{h4}-{h12}
huggingface                      hf_{l34}
huggingface-organization         api_org_{l34}
ibm-cloud-iam                    IBMCLOUD_API_KEY={w44}
ibm-cos-hmac                     COS_HMAC_SECRET_ACCESS_KEY={h48}
infracost                        ico-{m32}
intercom                         INTERCOM_ACCESS_TOKEN={w60}
intra42                          s-s4t2ud-{h64}
jwt                              eyJ{m30}.eyJ{m60}.{w43}
jwt-base64                       ZXlK{m80}
kraken                           KRAKEN_PRIVATE_KEY={b86}==
kubernetes-secret                kind: Secret\ndata:\n  db-password: {b24}==
kucoin                           KUCOIN_API_SECRET={h8}-{h4}-{h4}-{h4}-{h12}
launchdarkly                     LAUNCHDARKLY_ACCESS_TOKEN=api-{h8}-{h4}-{h4}-{h4}-{h12}
linear                           lin_api_{m40}
linkedin                         LINKEDIN_CLIENT_SECRET={m16}
lob                              LOB_API_KEY=live_{h35}
mailchimp                        {h32}-us12
mailgun                          key-{h32}
mailgun-signing                  MAILGUN_WEBHOOK_SIGNING_KEY={h32}-{h8}-{h8}
mapbox-secret                    MAPBOX_ACCESS_TOKEN=sk.{m60}.{m22}
mattermost                       MATTERMOST_TOKEN={a26}
maxmind                          {m6}_{m29}_mmk
messagebird                      MESSAGEBIRD_ACCESS_KEY={m25}
microsoft-teams-webhook          https://x.webhook.office.com/webhookb2/{h8}-{h4}-{h12}@{h8}/IncomingWebhook/{h32}/{h8}
netlify                          NETLIFY_AUTH_TOKEN={w43}
new-relic-user                   NRAK-{A27}
new-relic-insert                 NRII-{w32}
new-relic-browser                NRJS-{h19}
notion                           ntn_{d11}{m35}
npm                              npm_{m36}
npmrc                            //registry.example/:_authToken={h8}-{h4}-{h4}-{h4}-{h12}
nuget-config                     <add key="ClearTextPassword" value="{m20}" />
nytimes                          NYT_API_KEY={w32}
octopus-deploy                   API-{A26}
okta                             Authorization: SSWS 00{w40}
openai                           sk-{m20}T3BlbkFJ{m20}
openai-project                   sk-proj-{w74}T3BlbkFJ{w74}
openshift                        sha256~{w43}
perplexity                       pplx-{m48}
plaid                            access-production-{h8}-{h4}-{h4}-{h4}-{h12}
plaid-secret                     PLAID_SECRET={a30}
planetscale                      pscale_tkn_{w43}
planetscale-oauth                pscale_oauth_{w43}
planetscale-password             pscale_pw_{w43}
postman                          PMAK-{h24}-{h34}
prefect                          pnu_{m36}
private-key-openssh              -----BEGIN OPENSSH PRIVATE KEY-----\n{b70}\n{b70}\n-----END OPENSSH PRIVATE KEY-----
private-key-pgp                  -----BEGIN PGP PRIVATE KEY BLOCK-----\n\n{b64}\n-----END PGP PRIVATE KEY BLOCK-----
pulumi                           pul-{h40}
putty                            PuTTY-User-Key-File-2: ssh-rsa\nPrivate-Lines: 1\n{b64}
pypi                             pypi-AgEIcHlwaS5vcmc{w80}
rapidapi                         X-RapidAPI-Key: {w50}
readme                           rdme_{a70}
replicate                        r8_{m37}
rubygems                         rubygems_{h48}
scalingo                         tk-us-{w48}
sendbird                         SENDBIRD_API_TOKEN={h40}
sendgrid                         SG.{w22}.{w43}
sendinblue                       xkeysib-{h64}-{m16}
sentry-dsn                       https://{h32}@o7.ingest.sentry.io/7
sentry-org                       sntrys_eyJ{m60}_{b43}
sentry-user                      sntryu_{h64}
settlemint                       sm_pat_{m16}
shippo                           shippo_live_{h40}
shopify                          shpat_{h32}
shopify-custom                   shpca_{h32}
shopify-private                  shppa_{h32}
shopify-shared                   shpss_{h32}
sidekiq-url                      https://{i8}:{h8}@gems.contribsys.com/
slack-app                        xapp-1-{A11}-{d13}-{h64}
slack-bot                        xoxb-{d12}-{d13}-{m24}
slack-user                       xoxp-{d12}-{d12}-{d13}-{m32}
slack-config                     xoxe.xoxp-1-{A163}
slack-refresh                    xoxe-1-{A146}
slack-webhook                    https://hooks.slack.com/services/T{A10}/B{A10}/{m24}
slack-workflow                   https://hooks.slack.com/workflows/T{A10}/A{A10}/{d18}/{m24}
snyk                             SNYK_TOKEN={h8}-{h4}-{h4}-{h4}-{h12}
softlayer                        SOFTLAYER_API_KEY={h64}
sonar                            SONAR_TOKEN=squ_{h40}
sourcegraph                      sgp_{h40}
square                           sq0atp-{w22}
square-oauth                     sq0csp-{w43}
square-production                EAAA{w60}
squarespace                      SQUARESPACE_API_KEY={h8}-{h4}-{h4}-{h4}-{h12}
stripe                           sk_live_{m24}
stripe-restricted                rk_live_{m24}
stripe-webhook                   whsec_{m32}
sumologic                        SUMOLOGIC_ACCESSKEY={m64}
supabase                         sbp_{h40}
tailscale                        tskey-auth-{m16}-{m32}
telegram                         {i10}:AA{w33}
travis                           TRAVIS_TOKEN={m22}
twilio-api-key                   SK{h32}
twilio-account                   AC{h32}
twitch                           TWITCH_CLIENT_SECRET={a30}
twitter-access-secret            TWITTER_ACCESS_TOKEN_SECRET={m45}
twitter-bearer                   Authorization: Bearer AAAAAAAAAAAAAAAAAAAAAA{m80}
twitter-consumer                 TWITTER_CONSUMER_KEY={m25}
typeform                         tfp_{w59}
yandex-api                       AQVN{w36}
yandex-access                    YANDEX_TOKEN=t1.{w60}.{w86}
zendesk                          ZENDESK_API_TOKEN={m40}
"""  # noqa: E501  # a table


def made_up(shape: str) -> tuple[str, list[str]]:
    """A text with a secret of this shape in it, and the parts that must not be shown."""
    dice = random.Random(shape)
    parts: list[str] = []

    def part(match: re.Match[str]) -> str:
        length = int(match[2])
        # A digit, as nearly every real one has, and no sign at an end that would part it.
        drawn = "".join(dice.choices(_LETTERS[match[1]], k=length - 2))
        ends = "xQ" if match[1] == "l" else "7" + dice.choice("2345")
        made = ends[0] + drawn + ends[1]
        if length >= _TELLING and match[1] != "i":
            parts.append(made)
        return made

    text = _PART.sub(part, shape.replace(r"\n", "\n"))
    return f"the server said:\n{text}\nand no more", parts


def missed(shape: str) -> bool:
    text, parts = made_up(shape)
    shown = mask_text(text)
    return any(part in shown for part in parts)


def test_the_kinds_that_public_lists_know_are_masked_but_for_a_few() -> None:
    kinds = dict(line.split(maxsplit=1) for line in SHAPES.strip().splitlines())
    assert len(kinds) > 200
    left = sorted(kind for kind, shape in kinds.items() if missed(shape))
    assert len(left) <= MISSES, left


def test_what_stands_around_a_secret_stays() -> None:
    for line in SHAPES.strip().splitlines():
        text, _ = made_up(line.split(maxsplit=1)[1])
        shown = mask_text(text)
        assert shown.startswith("the server said:\n")
        assert shown.endswith("\nand no more")
