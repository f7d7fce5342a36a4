job "oauth" {
  profiles = "oauth-profiles.txt"
  accounts {
    csv = "oauth.csv"
  }
  source "pop3" {
    name   = "m365"
    preset = "microsoft"
    oauth2 {
      grant         = "client_credentials"
      tenant        = "contoso.onmicrosoft.com"
      client_id     = "11111111-2222-3333-4444-555555555555"
      client_secret = env("M365_SECRET")
    }
  }
  source "pop3" {
    name             = "workspace"
    preset           = "google"
    allow_retr_hides = true
    login            = "recent:${account.user}"
    oauth2 {
      grant    = "service_account"
      key_file = "key.secret"
      user     = "${account.user}"
    }
  }
  source "pop3" {
    name             = "gmail"
    preset           = "gmail"
    allow_retr_hides = true
  }
  source "pop3" {
    name   = "yahoo"
    preset = "yahoo"
    oauth2 {
      grant         = "refresh_token"
      client_id     = "client"
      client_secret = "s3cret-literal"
      client_auth   = "basic"
      token_file    = "tokens.none"
    }
  }
  source "pop3" {
    name   = "own"
    preset = "ours"
    tls    = "starttls"
    oauth2 {
      grant     = "device_code"
      tenant    = "main"
      client_id = "client"
      scope     = "pop  offline"
    }
  }
  source "pop3" {
    name   = "helper"
    server = "pop.example.org"
    oauth2 {
      grant   = "command"
      command = ["get-token", "--for", "${account.user}@${account.server}"]
      timeout = "10s"
    }
  }
  source "pop3" {
    name   = "gmx"
    preset = "gmx"
    server = "pop.gmx.com"
  }
  source "pop3" {
    name   = "exchange"
    preset = "exchange"
    server = "mail.corp.example"
    tls    = "starttls"
  }
  sink "mbox" "archive" {
    dir = "archive"
  }
}
