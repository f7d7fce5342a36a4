# Server programs, found by their greeting or by CAPA's IMPLEMENTATION. Both can
# be forged and changed by their administrators, so these rows make the program
# more careful or tell people something; they never choose how to log in.

profile "james" {
  title    = "Apache James"
  greeting = "JAMES POP3 Server"
  source   = "its source"
  as_of    = "2025"
  certain  = "sure"
  tuning {
    warnings = ["James shows an empty maildrop when it cannot read one; an empty result is worth a second look."]
  }
}

profile "citadel" {
  title          = "Citadel"
  greeting       = "Citadel POP3 server"
  implementation = "^Citadel"
  source         = "its source and sessions with release 902"
  as_of          = "2025"
  certain        = "sure"
  tuning {
    no_top    = true # the reply never ends properly
    deletions = "3s" # after the reply to QUIT
    warnings = ["Citadel rebuilds messages: header order, From and Date are its own, and a body ends at a NUL."]
  }
}

profile "courier" {
  title          = "Courier"
  greeting       = "^Hello there\\."
  implementation = "^Courier"
  source         = "its source"
  as_of          = "2026-03"
  certain        = "sure"
  tuning {
    sessions_per_host = 4 # MAXPERIP
    deletions         = "1s"
    warnings = ["Courier wraps messages that have 8-bit headers anew at each RETR; two copies of one message may differ."]
    refusal {
      match = "temporary problem"
      means = "busy"
      help  = "the server cannot check passwords now"
    }
    refusal {
      match = "pop3 access disabled"
      means = "credential"
      help  = "the administrator has to allow POP3 for this account"
    }
  }
}

profile "cyrus" {
  title          = "Cyrus IMAP"
  greeting       = "Cyrus POP3"
  implementation = "^Cyrus POP3"
  source         = "its source"
  as_of          = "2025"
  certain        = "sure"
  tuning {
    refusal {
      match = "too many open connections"
      means = "busy"
      help  = "other sessions of this account or address are open"
    }
  }
}

profile "dovecot" {
  title          = "Dovecot"
  greeting       = "^Dovecot"
  implementation = "^Dovecot"
  source         = "its source"
  as_of          = "2025"
  certain        = "sure"
  tuning {
    refusal {
      match = "cleartext authentication disallowed|plaintext authentication disallowed"
      means = "credential"
      help  = "the server wants TLS: use tls = \"implicit\" or \"starttls\""
    }
  }
}

profile "eims" {
  title    = "Eudora Internet Mail Server"
  greeting = "Eudora Internet Mail Server|EIMS"
  source   = "lists of greetings"
  as_of    = "2013"
  certain  = "weak"
  tuning {
    sessions_per_host = 4
    warnings = ["Little is known of this server: begin with a few maildrops and look at the result."]
  }
}

profile "hmailserver" {
  title   = "hMailServer"
  source  = "its source"
  as_of   = "2025"
  certain = "sure"
  # Its greeting is the administrator's; the default, POP3, says nothing.
  greeting = "^POP3$"
  tuning {
    warnings = ["hMailServer replaces a message whose file is lost by a notice from Postmaster; look for (undeliverable) in the result. Many wrong passwords ban your address."]
    refusal {
      match = "already locked"
      means = "busy"
      help  = "another session has this maildrop open"
    }
    refusal {
      match = "too many invalid logon attempts"
      means = "busy"
      help  = "the server has banned your address for a time"
    }
  }
}

profile "imail" {
  title    = "Ipswitch IMail"
  greeting = "X1 NT-POP3 Server|\\(IMail "
  source   = "vendor's document"
  as_of    = "2013"
  certain  = "fair"
  tuning {
    warnings = ["IMail bans the address of a client that sends a line of over 512 characters."]
  }
}

profile "kerio" {
  title    = "Kerio Connect"
  greeting = "Kerio (Connect|MailServer)"
  source   = "lists of greetings"
  as_of    = "2013"
  certain  = "weak"
}

profile "mailtraq" {
  title    = "Mailtraq"
  greeting = "\\(Mailtraq "
  source   = "lists of greetings"
  as_of    = "2013"
  certain  = "weak"
}

profile "nginx" {
  title    = "nginx mail proxy"
  greeting = "^POP3 ready\\s*(<.*>)?$"
  source   = "its source"
  as_of    = "2025"
  certain  = "sure"
  tuning {
    refusal {
      match = "internal server error"
      means = "busy"
      help  = "the proxy hides why the server behind it refused: the maildrop may be locked or busy"
    }
  }
}

profile "qmail" {
  title    = "qmail-pop3d"
  greeting = "^\\s*<[0-9]+\\.[0-9]+@[^>]*>\\s*$"
  source   = "its source; sessions with notqmail 1.09 and netqmail 1.06"
  as_of    = "2025"
  certain  = "sure"
  tuning {
    warnings = ["qmail adds a line end and one blank line to each message it sends; that is stored as it came."]
    refusal {
      match = "no \\$HOME/Maildir"
      help  = "the password is right, but the account has no maildrop"
    }
  }
}

profile "qpopper" {
  title          = "Qpopper"
  greeting       = "Qpopper|\\bQPOP\\b"
  implementation = "^Qpopper"
  source         = "its source, release 4.0"
  as_of          = "2011"
  certain        = "sure"
  tuning {
    retr_hides      = true # by its auto-delete option
    warnings = ["Qpopper can be set to delete every message that was fetched, and to carry out deletions though the line drops; ask its administrator, or look at EXPIRE in the preflight."]
    refusal {
      match = "must use apop"
      means = "credential"
      help  = "this account can log in by APOP only: auth = \"apop\""
    }
  }
}

profile "popper" {
  title          = "Heimdal popper, Berkeley popper (KPOP)"
  greeting       = "^POP3 server ready$|UCB Pop server"
  source         = "its source and sessions with the last release"
  as_of          = "2025"
  certain        = "sure"
  tuning {
    warnings = ["This server carries out deletions though the line drops, and loses what follows a NUL in a line."]
    refusal {
      match = "popping not authorized"
      means = "credential"
      help  = "the principal may not read this maildrop: its .k5login has to name it"
    }
  }
}

profile "uw" {
  title    = "UW IMAP ipop3d"
  greeting = "^POP3 .* (v?20[0-9]{2}[a-z.0-9]*) server ready"
  source   = "its source and sessions with release 2007f"
  as_of    = "2025"
  certain  = "sure"
  tuning {
    warnings = ["ipop3d loses the last two octets of a message that was stored without a final line end, under a correct size: no POP client can see that, so fetch by IMAP where that is to be had."]
    refusal {
      match = "can't get lock"
      means = "busy"
      help  = "another session has this maildrop open"
    }
  }
}

profile "wingate" {
  title    = "WinGate POP3 proxy"
  greeting = "WinGate Engine POP3"
  source   = "lists of greetings; product documents"
  as_of    = "2013"
  certain  = "weak"
  tuning {
    help = "the proxy wants the real server in the user, such as user#pop.example.net"
  }
}

profile "zimbra" {
  title          = "Zimbra"
  greeting       = "Zimbra .*POP3 server"
  implementation = "^ZimbraInc"
  source         = "its source"
  as_of          = "2025"
  certain        = "sure"
  tuning {
    warnings = ["Zimbra lists the inbox from the day that the account's preferences name, without what was fetched before if they say so, and by the same preferences keeps or deletes it."]
    refusal {
      match = "pop access not enabled"
      means = "credential"
      help  = "the administrator or the account's preferences have to allow POP"
    }
    refusal {
      match = "only valid after entering tls"
      means = "credential"
      help  = "use tls = \"implicit\" or \"starttls\""
    }
    refusal {
      match = "maintenance"
      means = "busy"
      help  = "the account is being moved or mended"
    }
  }
}

profile "tpop3d" {
  title    = "tpop3d"
  greeting = "^<[0-9a-f]{24,}@"
  source   = "sessions with it"
  as_of    = "2025"
  certain  = "fair"
}
