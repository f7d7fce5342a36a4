job "a" {
  account "x" {
    password = "x"
    source   = "good"
  }
  account "y" {
    password      = "x"
    refresh_token = "y"
    source        = "passwords"
  }
  account "z" {
    source = "good"
  }
  account "v" {
    refresh_token = "y"
    source        = "good"
  }
  account "w" {
    user   = "z"
    server = "pop2.example.net"
    source = "good"
  }
  account "s" {
    source = "lent"
  }
  account "t" {
    source = "lent"
  }
  account "u" {
    source = "helper"
  }
  source "pop3" {
    name   = "passwords"
    server = "pop.example.net"
  }
  source "pop3" {
    name   = "good"
    server = "pop.example.net"
    oauth2 {
      grant     = "refresh_token"
      client_id = "c"
      token_url = "https://login.example.net/token"
    }
  }
  source "pop3" {
    name   = "lent"
    server = "pop.example.net"
    oauth2 {
      grant         = "refresh_token"
      client_id     = "c"
      token_url     = "https://login.example.net/token"
      refresh_token = "s3cret"
    }
  }
  source "pop3" {
    name   = "helper"
    server = "pop.example.net"
    oauth2 {
      grant   = "command"
      command = ["get-token"]
      user    = ""
    }
  }
  source "pop3" {
    name = "c"
    server = "pop.example.net"
    oauth2 {}
  }
  source "pop3" {
    name = "d"
    server = "pop.example.net"
    oauth2 {
      grant = "password"
    }
  }
  source "pop3" {
    name = "e"
    server = "pop.example.net"
    oauth2 {
      grant    = "refresh_token"
      key_file = "key.secret"
      command  = ["x"]
    }
  }
  source "pop3" {
    name     = "f"
    server   = "pop.example.net"
    password = "s3cret"
    auth     = "plain"
    oauth2 {
      grant         = "client_credentials"
      client_id     = "c"
      client_secret = "s3cret"
    }
  }
  source "pop3" {
    name = "g"
    server = "pop.example.net"
    oauth2 {
      grant         = "client_credentials"
      client_id     = "c"
      client_secret = "s3cret"
      token_url     = "http://login.example.net/token"
    }
  }
  source "pop3" {
    name   = "h"
    preset = "microsoft"
    oauth2 {
      grant         = "client_credentials"
      client_id     = "c"
      client_secret = "s3cret"
    }
  }
  source "pop3" {
    name   = "i"
    preset = "microsoft"
    oauth2 {
      grant         = "client_credentials"
      client_id     = "c"
      client_secret = "s3cret"
      tenant        = "evil/../x"
    }
  }
  source "pop3" {
    name   = "j"
    server = "pop.example.net"
    oauth2 {
      grant         = "client_credentials"
      client_id     = "c"
      client_secret = env("UNSET")
      token_url     = "https://login.example.net/token"
      tenant        = "main"
    }
  }
  source "pop3" {
    name             = "k"
    preset           = "google"
    allow_retr_hides = true
    oauth2 {
      grant     = "device_code"
      client_id = "c"
    }
  }
  source "pop3" {
    name   = "l"
    server = "pop.example.net"
    oauth2 {
      grant     = "device_code"
      client_id = "c"
      token_url = "https://login.example.net/token"
      scope     = ""
    }
  }
  source "pop3" {
    name   = "m"
    server = "pop.example.net"
    oauth2 {
      grant    = "service_account"
      key_file = "missing.json"
    }
  }
  source "pop3" {
    name   = "n"
    server = "pop.example.net"
    oauth2 {
      grant   = "command"
      command = ["sh", "-c", "get-token ${account.user}"]
      timeout = "0s"
    }
  }
  source "pop3" {
    name   = "o"
    server = "pop.example.net"
    oauth2 {
      grant   = "command"
      command = "get-token"
    }
  }
  source "pop3" {
    name   = "p"
    server = "pop.example.net"
    oauth2 {
      grant   = "command"
      command = ["${account.user}", "${account.password}"]
    }
  }
  source "pop3" {
    name   = "q"
    server = "pop.example.net"
    oauth2 {
      grant      = "refresh_token"
      client_id  = "c"
      token_url  = "https://login.example.net/token"
      token_file = "tokens.none"
    }
  }
  source "pop3" {
    name   = "r"
    server = "pop.example.net"
    oauth2 {
      grant      = "refresh_token"
      client_id  = "c"
      token_url  = "https://login.example.net/token"
      token_file = "./tokens.none"
    }
    oauth2 {}
  }
  source "pop3" {
    name   = "s"
    server = "pop.example.net"
    oauth2 {
      grant      = "refresh_token"
      client_id  = "c"
      token_url  = "https://login.example.net/token"
      token_file = "readable.hcl"
    }
  }
  sink "mbox" "archive" {
    dir = "archive"
  }
}
# want oauth.hcl:2,3: Missing refresh_token: The account needs refresh_token, in its block or its row of the lis
# want oauth.hcl:3,16: Contradiction: The account's source logs in with OAuth2, so its password would not be used
# want oauth.hcl:8,21: Contradiction: The account's source has no oauth2 block, so a refresh token means nothing.
# want oauth.hcl:11,3: Missing refresh_token: The account needs refresh_token, in its block or its row of the lis
# want oauth.hcl:18,3: Missing refresh_token: The account needs refresh_token, in its block or its row of the lis
# want oauth.hcl:26,3: Missing refresh_token: The refresh token of the oauth2 block is one user's, and the accoun
# want oauth.hcl:61,17: Wrong user: The OAuth2 user of the account at testdata/invalid/oauth.hcl:29 is empty or co
# want oauth.hcl:67,5: Missing grant: This block needs the attribute grant.
# want oauth.hcl:73,15: Unknown word: grant is one of "refresh_token", "client_credentials", "device_code", "servi
# want oauth.hcl:79,5: Missing client_id: grant = "refresh_token" needs the attribute client_id.
# want oauth.hcl:81,7: Contradiction: key_file means nothing with grant = "refresh_token", which takes client_id,
# want oauth.hcl:82,7: Contradiction: command means nothing with grant = "refresh_token", which takes client_id,
# want oauth.hcl:88,16: Contradiction: The source logs in with OAuth2 tokens, so a password would not be used. Lea
# want oauth.hcl:89,16: Contradiction: "plain" takes no token, and the source has oauth2.
# want oauth.hcl:90,5: Missing token_url: Name the provider's token endpoint with token_url, or a preset of the s
# want oauth.hcl:103,23: Wrong token_url: Endpoint login.example.net: https is required, except on the loopback.
# want oauth.hcl:109,5: Missing tenant: The provider wants to know whose users they are: tenant = "contoso.onmicro
# want oauth.hcl:122,23: Wrong tenant: A tenant is a domain name or an id.
# want oauth.hcl:131,23: Missing secret: The environment variable UNSET is not set.
# want oauth.hcl:133,7: Contradiction: The token URL has no place for a tenant; leave tenant out, or write {tenant
# want oauth.hcl:141,19: Wrong grant: Gmail and Google Workspace gives no access to mail by device_code. It takes r
# want oauth.hcl:148,5: Missing device_url: Name the provider's device authorization endpoint with device_url.
# want oauth.hcl:152,19: Empty scope: scope must not be empty.
# want oauth.hcl:158,5: Missing scope: A service account needs the scope that the domain's administrator allowed i
# want oauth.hcl:160,18: Missing key: key_file cannot be read: stat testdata/invalid/missing.json: no such file or
# want oauth.hcl:168,30: Account in a shell's program: A shell would take a part of the name for a command. It find
# want oauth.hcl:169,17: Wrong value: timeout is the time the program is given; it cannot be nothing.
# want oauth.hcl:177,17: Wrong value: command is a list: the program and its arguments, such as ["get-token", "${ac
# want oauth.hcl:185,18: Wrong value: The program is the same for all accounts.
# want oauth.hcl:185,40: Password in a template: A password never becomes part of a name, a path or an address.
# want oauth.hcl:205,20: One token file twice: The oauth2 block at line 191 keeps its tokens there too; each needs
# want oauth.hcl:207,5: A second oauth2 block: oauth2 stands at line 201 already.
# want oauth.hcl:216,20: Secrets in the open: The token file can be read by others. Mend it with: chmod 600 testdat
