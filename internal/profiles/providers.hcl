# Mail providers. Facts about them age fast: as_of says how old a row is, and
# certain how far to trust it. A job's own file (profiles = "my-profiles.hcl")
# has the same form; a row in it replaces the one of its name here.

profile "google" {
  title    = "Gmail and Google Workspace"
  aliases  = ["gmail", "workspace"]
  hosts    = ["pop.gmail.com", "pop.googlemail.com"]
  greeting = "^Gpop ready"
  source   = "Google's help and developer pages; client bug reports"
  as_of    = "2025-08"
  certain  = "fair"
  connect {
    server = "pop.gmail.com:995"
    tls    = "implicit"
    auth   = ["XOAUTH2", "OAUTHBEARER", "PLAIN", "USER"]
    oauth2 {
      token_url = "https://oauth2.googleapis.com/token"
      scopes    = ["https://mail.google.com/"]
      grants    = ["refresh_token", "service_account", "command"] # its device flow allows no mail
    }
  }
  tuning {
    window       = true
    retr_hides   = true
    warnings = [
      "Gmail lists a few hundred of the oldest messages at a time, and hides a message from later sessions once it was fetched and the session ended well: other mail programs that fetch by POP will no longer see it.",
      "What Gmail does with a message that was fetched or deleted by POP (keep, archive, trash) is set in the mailbox under Forwarding and POP/IMAP.",
      "Sent mail is listed too; spam and trash are not.",
    ]
    refusal {
      match = "application-specific password"
      means = "credential"
      help  = "switch on 2-Step Verification, make an app password for this account and use that; Workspace accounts use oauth2"
    }
    refusal {
      match = "web login required"
      means = "credential"
      help  = "log in to the mailbox in a browser once, or use oauth2"
    }
    refusal {
      match = "not enabled for pop"
      means = "credential"
      help  = "switch POP on in the mailbox: Settings, Forwarding and POP/IMAP, Enable POP for all mail"
    }
    refusal {
      match = "exceeded.*(command|bandwidth) limits"
      means = "busy"
      help  = "Google has paused this account for fetching too much; it comes back by itself, at the latest after a day"
    }
    help = "Google takes an app password (with 2-Step Verification) or OAuth2, never the account's own password; POP must be switched on in the mailbox"
  }
}

profile "microsoft" {
  title   = "Exchange Online (Microsoft 365) and Outlook.com"
  aliases = ["m365", "office365", "outlook", "exchange-online"]
  hosts   = ["outlook.office365.com", "outlook.office.com", "pop-mail.outlook.com", "pop3.live.com", ".outlook.com"]
  source  = "Microsoft's developer pages; client bug reports"
  as_of   = "2025"
  certain = "fair"
  connect {
    server = "outlook.office365.com:995"
    tls    = "implicit"
    auth   = ["XOAUTH2"]
    oauth2 {
      token_url  = "https://login.microsoftonline.com/{tenant}/oauth2/v2.0/token"
      device_url = "https://login.microsoftonline.com/{tenant}/oauth2/v2.0/devicecode"
      scopes     = ["https://outlook.office.com/POP.AccessAsUser.All", "offline_access"]
      app_scopes = ["https://outlook.office365.com/.default"]
      grants     = ["client_credentials", "refresh_token", "device_code", "command"]
    }
  }
  tuning {
    warnings = [
      "Exchange builds a message anew for each RETR: two copies of one message may differ in boundaries and header order.",
      "Outlook.com may keep what is deleted by POP, by an option of the mailbox; a Microsoft 365 mailbox keeps it in its recoverable items for a time.",
    ]
    refusal {
      match = "logon failure"
      means = "busy"
      help  = "Exchange says this to a wrong password, but also while it throttles; passwords no longer work there at all, only OAuth2"
    }
    refusal {
      match = "authentication failure"
      help  = "check that POP is enabled for this mailbox, that the app has POP.AccessAsApp (client_credentials, with admin consent, a service principal in Exchange and FullAccess to the mailbox) or POP.AccessAsUser.All, and that the tenant is right"
    }
    refusal {
      match = "authenticated but not connected"
      help  = "the token is good but not for this mailbox: give the app or the user access to it"
    }
    refusal {
      match = "exceeded the login limit"
      means = "busy"
      help  = "the provider wants 15 minutes without a login"
    }
    refusal {
      match = "server unavailable"
      means = "busy"
      help  = "the mailbox cannot be opened now"
    }
    help = "Microsoft takes OAuth2 only, no password; POP must be enabled for the mailbox"
  }
}

profile "exchange" {
  title    = "Exchange on premises"
  aliases  = ["exchange-server"]
  greeting = "Microsoft Exchange"
  source   = "Microsoft's documentation and knowledge base; client bug reports"
  as_of    = "2013"
  certain  = "fair"
  connect {
    tls = "implicit"
  }
  tuning {
    sessions_per_host     = 16
    deletions             = "5s"
    warnings = [
      "Exchange builds a message anew for each RETR, and lists estimated sizes: two copies of one message may differ.",
    ]
    refusal {
      match = "logon failure"
      help  = "the user may have to be written DOMAIN\\user or DOMAIN\\user\\mailbox, or as the address; POP must be enabled for the mailbox; the server may also be throttling"
    }
    help = "the user may have to be written DOMAIN\\user or as the address; without TLS Exchange refuses passwords"
  }
}

profile "yahoo" {
  title    = "Yahoo, AT&T"
  hosts    = ["pop.mail.yahoo.com", "inbound.att.net", ".mail.yahoo.com"]
  greeting = "jpop"
  source   = "client bug reports; third-party guides"
  as_of    = "2024"
  certain  = "fair"
  connect {
    server = "pop.mail.yahoo.com:995"
    tls    = "implicit"
    oauth2 {
      token_url = "https://api.login.yahoo.com/oauth2/get_token"
      scopes    = ["mail-r"]
      grants    = ["refresh_token", "command"]
    }
  }
  tuning {
    help = "Yahoo wants an app password (Account security, Generate app password), not the account's own"
  }
}

profile "aol" {
  title   = "AOL, Verizon"
  aliases = ["verizon"]
  hosts   = ["pop.aol.com", "pop.verizon.net"]
  source  = "client bug reports"
  as_of   = "2024"
  certain = "fair"
  connect {
    server = "pop.aol.com:995"
    tls    = "implicit"
  }
  tuning {
    help = "AOL wants an app password (Account security); it closes the line without a word when a password is wrong"
  }
}

profile "gmx" {
  title    = "GMX"
  hosts    = ["pop.gmx.net", "pop.gmx.com", "pop.gmx.de", ".gmx.net", ".gmx.com"]
  greeting = "POP server ready H mi"
  source   = "client bug reports; third-party guides"
  as_of    = "2024"
  certain  = "weak"
  connect {
    server = "pop.gmx.net:995"
    tls    = "implicit"
  }
  tuning {
    sessions_per_host = 4
    login_spacing     = "1s"
    warnings = ["GMX was seen to accept deletions and keep the messages; the spam folder is listed only by an option of the mailbox."]
    refusal {
      match = "authentication failed"
      means = "credential"
      help  = "switch on POP3 and IMAP in the mailbox's settings; GMX switches it off again when it was not used for long, and then refuses the right password. With two-factor login make an app password. Many failures block your address for a time"
    }
    help = "switch on POP3 and IMAP in the mailbox's settings; with two-factor login make an app password"
  }
}

profile "webde" {
  title    = "WEB.DE"
  aliases  = ["web-de", "web"]
  hosts    = ["pop3.web.de", "pop.web.de"]
  greeting = "WEB\\.DE POP3"
  source   = "client bug reports"
  as_of    = "2024"
  certain  = "weak"
  connect {
    server = "pop3.web.de:995"
    tls    = "implicit"
  }
  tuning {
    sessions_per_host = 4
    login_spacing     = "1s"
    warnings = ["WEB.DE lists the spam folder only by an option of the mailbox."]
    refusal {
      match = "authentication failed"
      means = "credential"
      help  = "switch on POP3 and IMAP in the mailbox's settings; WEB.DE switches it off again when it was not used for long, and then refuses the right password. With two-factor login make an app password"
    }
    help = "switch on POP3 and IMAP in the mailbox's settings; with two-factor login make an app password"
  }
}

profile "mailru" {
  title   = "Mail.ru"
  aliases = ["mail-ru"]
  hosts   = ["pop.mail.ru", "pop.bk.ru", "pop.list.ru", "pop.inbox.ru"]
  source  = "client bug reports"
  as_of   = "2026-01"
  certain = "fair"
  connect {
    server = "pop.mail.ru:995"
    tls    = "implicit"
  }
  tuning {
    refusal {
      match = "neobhodim parol|a?pp?lication password"
      means = "credential"
      help  = "make a password for external applications in the account's security settings, and use that"
    }
    help = "Mail.ru wants a password for external applications, and access by mail programs switched on"
  }
}

profile "yandex" {
  title    = "Yandex Mail"
  hosts    = ["pop.yandex.com", "pop.yandex.ru", ".yandex.ru", ".yandex.com"]
  greeting = "^POP Ya!"
  source   = "Yandex's help pages and copies of them; client reports"
  as_of    = "2019"
  certain  = "weak"
  connect {
    server = "pop.yandex.com:995"
    tls    = "implicit"
  }
  tuning {
    warnings = [
      "Yandex lists the folders that are chosen in the mailbox's settings under mail programs, all of them in one listing.",
      "Yandex keeps what is deleted by POP, in the web view.",
    ]
    refusal {
      match = "login failure or pop3 disabled"
      means = "credential"
      help  = "allow POP3 in the mailbox's settings under mail programs, choose the folders, and use an app password; to try later does not help"
    }
    help = "Yandex wants POP3 allowed in the mailbox's settings and an app password"
  }
}

profile "qq" {
  title    = "QQ Mail and Tencent Exmail"
  aliases  = ["exmail"]
  hosts    = ["pop.qq.com", "pop.exmail.qq.com"]
  greeting = "QQMail|XMail POP3 Server"
  source   = "client bug reports"
  as_of    = "2024"
  certain  = "fair"
  connect {
    server = "pop.qq.com:995"
    tls    = "implicit"
  }
  tuning {
    window = true
    warnings = ["QQ Mail lists the last 30 days or all mail, by an option of the mailbox: choose all."]
    refusal {
      match = "authorization code|login fail"
      means = "credential"
      help  = "make an authorization code for POP3 in the mailbox's settings and use it as the password; one made for IMAP does not work"
    }
    help = "QQ Mail wants an authorization code made for POP3, not the login password"
  }
}

profile "netease" {
  title    = "NetEase 163, 126 and yeah.net; Coremail"
  aliases  = ["163", "126", "coremail"]
  hosts    = ["pop.163.com", "pop.126.com", "pop.yeah.net"]
  greeting = "coremail"
  source   = "client bug reports"
  as_of    = "2024"
  certain  = "weak"
  connect {
    server = "pop.163.com:995"
    tls    = "implicit"
  }
  tuning {
    sessions_per_host = 4
    login_spacing     = "1s"
    refusal {
      match = "too many"
      means = "busy"
      help  = "NetEase limits how often one may log in"
    }
    refusal {
      match = "unable to log on"
      means = "credential"
      help  = "switch on POP3 in the mailbox's settings and use the authorization code made there; a code ends after 180 days"
    }
    help = "NetEase wants POP3 switched on and the authorization code, not the login password"
  }
}

profile "zoho" {
  title   = "Zoho Mail"
  hosts   = ["pop.zoho.com", "poppro.zoho.com", "pop.zoho.eu", "poppro.zoho.eu", "pop.zoho.in", "poppro.zoho.in"]
  source  = "Zoho's help pages"
  as_of   = "2022-11"
  certain = "fair"
  connect {
    server = "poppro.zoho.com:995" # an organisation's; a person's is pop.zoho.com, other regions end in .eu, .in…
    tls    = "implicit"
  }
  tuning {
    sessions_per_host = 4
    login_spacing     = "1s"
    window            = true
    warnings = ["Zoho lists all mail or only what arrives from the day POP was switched on, by an option of the mailbox: choose all emails."]
    help = "switch on POP in the mailbox's settings (not in free plans made since 2019); with two-factor login make an application-specific password; personal accounts use pop.zoho.com, other regions their own server"
  }
}

profile "icloud" {
  title   = "iCloud Mail"
  aliases = ["apple", "me"]
  hosts   = [".icloud.com", ".me.com", ".mac.com"]
  source  = "Apple's help pages"
  as_of   = "2025"
  certain = "sure"
  connect {
    no_pop = "iCloud Mail has no POP at all, only IMAP (imap.mail.me.com, port 993, with an app-specific password). Fetch it with an IMAP program."
  }
}

profile "fastmail" {
  title   = "Fastmail"
  hosts   = ["pop.fastmail.com"]
  source  = "Fastmail's help pages"
  as_of   = "2024"
  certain = "fair"
  connect {
    server = "pop.fastmail.com:995"
    tls    = "implicit"
  }
  tuning {
    warnings = ["Fastmail gives the inbox; another folder by the login user+folder@domain, where its name has no blanks."]
    help = "Fastmail wants an app password with access to mail (not in Basic plans)"
  }
}

profile "ionos" {
  title   = "IONOS (1&1)"
  aliases = ["1und1"]
  hosts   = ["pop.ionos.de", "pop.ionos.com", "pop.ionos.co.uk", "pop.1und1.de"]
  source  = "from memory of its help pages"
  as_of   = "2024"
  certain = "weak"
  connect {
    server = "pop.ionos.de:995"
    tls    = "implicit"
  }
  tuning {
    sessions_per_host = 4
    help = "the user is the whole address; the server is pop.ionos.de, .com or .co.uk, by the contract's country"
  }
}

profile "onecom" {
  title   = "one.com"
  aliases = ["one-com"]
  hosts   = ["pop.one.com"]
  source  = "no document on POP was found"
  as_of   = "2024"
  certain = "weak"
  connect {
    server = "pop.one.com:995"
    tls    = "implicit"
  }
  tuning {
    help = "the user is the whole address"
  }
}

profile "ovh" {
  title   = "OVH"
  hosts   = ["ssl0.ovh.net", "pop.mail.ovh.net"]
  source  = "client reports"
  as_of   = "2024"
  certain = "fair"
  connect {
    server = "ssl0.ovh.net:995"
    tls    = "implicit"
  }
  tuning {
    login_delay = "60s" # an earlier login on the same maildrop is cut off
    help = "the user is the whole address; OVH's Exchange and Email Pro have servers of their own"
  }
}

profile "strato" {
  title   = "Strato"
  hosts   = ["pop3.strato.de", "pop3.strato.com"]
  source  = "no document on POP was found"
  as_of   = "2024"
  certain = "weak"
  connect {
    server = "pop3.strato.de:995"
    tls    = "implicit"
  }
  tuning {
    help = "the user is the whole address"
  }
}
