job "a" {
  account "x" {
    password = "x"
    source   = "good"
  }
  account "y" {
    password = "x"
    source   = "good"
    server   = "imap.mail.me.com"
  }
  source "pop3" {
    name = "misspelt"
    # comment
    preset           = "Gmail"
  }
  source "pop3" {
    preset = "icloud"
    name   = "b"
  }
  source "pop3" {
    server = "p34-pop.mail.icloud.com"
    name   = "c"
  }
  source "pop3" {
    preset = "gmail"
    name   = "d"
  }
  source "pop3" {
    server = "pop.gmail.com"
    name   = "e"
  }
  source "pop3" {
    preset = "m365"
    name   = "f"
  }
  source "pop3" {
    preset = ""
    name   = "g"
  }
  source "pop3" {
    preset = "gmx"
    tls    = "none"
    name   = "h"
    server = "pop.gmx.net:110"
  }
  source "pop3" {
    name   = "i"
    preset = 7
    server = "pop.example.net"
  }
  source "pop3" {
    name   = "good"
    server = "pop.example.net"
  }
  sink "mbox" "archive" {
    dir = "archive"
  }
}
# want presets.hcl:9,16: No POP there: iCloud Mail has no POP at all, only IMAP (imap.mail.me.com, port 993, with a
# want presets.hcl:14,24: Unknown preset: Presets are google, microsoft, exchange, yahoo, aol, gmx, webde, mailru, y
# want presets.hcl:17,14: No POP there: iCloud Mail has no POP at all, only IMAP (imap.mail.me.com, port 993, with a
# want presets.hcl:21,14: No POP there: iCloud Mail has no POP at all, only IMAP (imap.mail.me.com, port 993, with a
# want presets.hcl:25,14: Fetching changes the maildrop: Gmail and Google Workspace: a message that was fetched may
# want presets.hcl:29,14: Fetching changes the maildrop: Gmail and Google Workspace: a message that was fetched may
# want presets.hcl:33,14: Wrong login: Exchange Online (Microsoft 365) and Outlook.com takes no passwords: the sourc
# want presets.hcl:37,14: Empty preset: preset must not be empty.
# want presets.hcl:42,14: Clear text: Without TLS everyone on the way can read the passwords and the mail. If that i
# want presets.hcl:48,14: Wrong value: preset is a string in quotes.
