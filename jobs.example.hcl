# popmigrate job file: an example that runs, and the reference of all it may say.
#
#   popmigrate check jobs.example.hcl             look at it, offline
#   popmigrate run jobs.example.hcl --job demo    try it, without any account
#
# Lines that begin with // are a second job, switched off: remove the // and
# change what is yours. Paths are relative to this file. What is wrong in a job
# is reported, with its line, before anything is dialed.

job "demo" {
  source "demo" {}                      # a server inside the program, with four sample maildrops

  sink "mbox" "archive" {
    dir = "demo/archive"                # demo/archive/<maildrop>/000001.mbox.zst
  }
  sink "maildir" "maildirs" {
    dir = "demo/mail/${account.user}/Maildir"
  }
  checkpoint {
    dir = "demo/state"
  }
  delete = "verified"                   # only the demo server's own mail
}

// job "acme" {                         # letters, digits, dot, dash, underscore

# Whose mail: a list, single accounts, or both.

//   accounts {
//     csv = "accounts.csv"
//   }
#   The first line of the list names its columns; comma, semicolon or tab
#   between them. An empty cell means the job's own value.
#     name           the maildrop's name; else the user, with @server where it has no @
#     user           what it logs in with; else the name
#     password       or password_env (a variable), or password_file; one of them.
#                    A list with passwords must not be readable by others (chmod 600)
#     refresh_token  or refresh_token_env, or refresh_token_file; for a source with oauth2
#     server         host or host:port
#     target         the recipient for smtp and lmtp sinks
#     hold           yes: nothing is ever deleted from this maildrop
#     source         name of one of the sources below; empty means the first
#   Other columns are copied into reports and may be used as row["Column"].

//   account "alice@example.net" {      # the label is the maildrop's name
//     user     = "alice"
//     password = env("ALICE_PASSWORD") # or file("path"), command("program", "argument")
//     server   = "pop2.example.net"
//     target   = "alice@example.org"
//     hold     = true                  # nothing is ever deleted from it
//     source   = "legacy"
//   }

//   account "dora@example.com" {
//     refresh_token = file("dora.secret") # instead of a password
//     target        = "dora@example.org"
//     source        = "yahoo"
//   }

# Where it is. Each source but the first needs a name.

//   source "pop3" {
//     server          = "pop.example.net" # host, host:port, pop://host or pops://host
//     tls             = "implicit"     # implicit (port 995) | starttls (110) | none (110)
//     tls_ca          = "ca.pem"       # trust these authorities, not the system's
//     tls_server_name = "mail.example.net" # name in the certificate, where not the server's
//     tls_min         = "1.2"          # 1.0 | 1.1 | 1.2 | 1.3
//     auth            = "auto"         # auto: strongest first | a mechanism | ["plain", "user"]:
//                                      # in this order, and no others; see docs/logins.md
//     utf8            = "auto"         # the command UTF8: auto: if the server knows it | on | off
//     login           = "${account.user}" # or account.name, local, domain, server, target,
//                                      # row["Column"]
//     pipelining      = "auto"         # auto: where the server announces it | on | off
//     timeouts {                       # the longest waits, for:
//       dial     = "30s"
//       tls      = "30s"
//       greeting = "2m"
//       command  = "2m"                # a reply
//       login    = "10m"               # the reply to a login or a listing
//       data     = "5m"                # the next octets of a message
//       top      = "1m"                # the same where only headers are asked for
//       quit     = "10m"               # the server's deleting
//     }
//   }
//   source "pop3" {
//     name            = "legacy"
//     server          = "pop.legacy.example:110"
//     tls             = "starttls"
//     # the SHA-256 of the one certificate to trust
//     tls_pin         = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
//     login           = "${account.user}*migrator"
//     password        = file("master.secret") # a master user: one password for all accounts
//   }
//   source "pop3" {
//     name            = "proxied"
//     server          = "pop.campus.example"
//     auth            = ["external", "plain"]
//     tls_cert        = "mover.pem"    # a client certificate, which EXTERNAL logs in with
//     tls_key         = "mover.key"    # its key; where not in the same file
//     login           = "migrator"     # who logs in …
//     identity        = "${account.user}" # … and whose mail it is (SASL authorization identity)
//     password        = file("master.secret")
//   }
//   source "pop3" {
//     name            = "tickets"
//     server          = "pop.campus.example"
//     auth            = "gssapi"       # Kerberos; docs/kerberos.md
//     kerberos {                       # an empty block: the tickets that kinit got
//       principal     = "migrate@CAMPUS.EXAMPLE"
//       keytab        = "migrate.keytab" # or password, or ccache without a principal
//       krb5_conf     = "krb5.conf"    # else KRB5_CONFIG, else the system's
//       service       = "pop"
//       service_host  = "pop1.campus.example" # where not the server's name
//     }
//   }
//   source "kpop" {                    # POP3 behind a Kerberos exchange, port 1109
//     name            = "campus"
//     server          = "kpop.campus.example"
//     allow_cleartext = true           # protects the login only
//     kerberos {
//       ccache        = "FILE:tickets"
//       krb5_conf     = "krb5.conf"
//     }
//   }
//   source "pop3" {
//     name            = "cleartext"
//     server          = "10.0.0.25"
//     tls             = "none"
//     allow_cleartext = true           # anyone on the way can read passwords and mail
//   }

# Providers that the program knows: google, microsoft, exchange, yahoo, aol, gmx, webde, mailru,
# yandex, qq, netease, zoho, fastmail, ionos, onecom, ovh, strato. docs/providers.md says what
# has to be switched on there. A preset gives server, tls and, where there is OAuth2, its
# endpoints and scope; what the source says itself counts more.

//   source "pop3" {
//     name   = "m365"
//     preset = "microsoft"
//     oauth2 {                         # tokens instead of passwords
//       grant         = "client_credentials" # one app for all mailboxes of a tenant
//       tenant        = "contoso.onmicrosoft.com"
//       client_id     = "11111111-2222-3333-4444-555555555555"
//       client_secret = env("M365_SECRET")
//     }
//   }
//   source "pop3" {
//     name             = "workspace"
//     preset           = "google"
//     allow_retr_hides = true          # what was fetched may be hidden from later sessions
//     oauth2 {
//       grant    = "service_account"   # may speak for every user: domain-wide delegation
//       key_file = "google-key.json"
//     }
//   }
//   source "pop3" {
//     name   = "yahoo"
//     preset = "yahoo"
//     oauth2 {
//       grant      = "refresh_token"   # each account has its own
//       client_id  = "my-client"
//       token_file = "tokens.json"     # keeps those that the provider issues anew
//     }
//   }
//   source "pop3" {
//     name   = "own"
//     server = "pop.example.com"
//     oauth2 {
//       grant       = "device_code"    # asks you to allow it, in a browser anywhere
//       client_id   = "my-client"
//       client_auth = "params"         # or "basic"; for a client with a secret
//       scope       = "mail offline_access"
//       token_url   = "https://login.example.com/token"
//       device_url  = "https://login.example.com/device"
//     }
//   }
//   source "pop3" {
//     name   = "helper"
//     server = "pop.example.org"
//     oauth2 {
//       grant   = "command"            # a program prints the token
//       command = ["get-token", "${account.user}"]
//       timeout = "30s"
//       user    = "${account.user}"    # whose token; the login, unless given
//     }
//   }

# Where it goes: any number of sinks. A message is done when all of them have it.

//   sink "mbox" "archive" {            # the label is the sink's name, in reports and for good
//     dir         = "archive"          # archive/<maildrop>/; a dir with ${…} is used as it is
//     compression = "zstd"             # zstd | gzip | none
//     segment     = "1GiB"             # begin a new file after so much
//   }
//   sink "maildir" "copy" {
//     dir = "mail/${account.user}/Maildir" # this very directory becomes the Maildir
//   }
//   sink "smtp" "new" {                # cannot be read back: "accepted" at best
//     server    = "mx.example.org:587"
//     recipient = account.target
//     tls       = "starttls"           # starttls | implicit | none (loopback only)
//     tls_ca    = "ca.pem"
//     mail_from = "<>"                 # or "return-path": whom bounces go to
//     user      = "migrate"            # where the server wants a login
//     password  = command("pass", "show", "mx.example.org")
//   }
//   sink "lmtp" "store" {
//     server    = "unix:/run/dovecot/lmtp" # or host:port
//     recipient = "${account.local}@example.org"
//   }
//   sink "smtp" "relay" {
//     server          = "10.0.0.26:25"
//     recipient       = row["Second address"]
//     tls             = "none"
//     allow_cleartext = true           # anyone on the way can read the mail
//   }

# Profiles of your own, for preset. docs/providers.md shows one.

//   profiles = "my-profiles.hcl"

# What the program knows, so that it can be stopped anywhere and run again.

//   checkpoint {
//     dir = "acme.popmigrate"          # the job's name and .popmigrate, unless given
//   }

//   limits {
//     sessions          = 64           # open at once
//     sessions_per_host = 16           # the most a host is ever given; it starts with fewer
//     login_spacing     = "0s"         # least time between two logins on a host
//     host_pause        = "5m"         # rest for a host after five alike failures in a row
//     attempts          = 4            # sessions tried for a maildrop
//     backoff           = "10s"        # before the second attempt; tripled for each further one
//     slice_time        = "10m"        # a session ends after this, so that deletions take effect
//     slice_messages    = 0            # or after so many messages; 0 means no such end
//     memory            = "64MiB"      # of messages held in memory, in all
//   }

# What may be deleted on the server:
#   never       nothing; a later run with another word still may
#   verified    what one sink at least read back as identical and the others accepted
#   accepted    what every sink at least accepted
#   forbidden   nothing, and no command may

//   delete = "never"
// }
