# want words.hcl:19,5: Wrong name: A job's name is made of letters, digits, dot, dash and underscore.
# want words.hcl:22,16: Wrong value: hold is true or false, without quotes.
# want words.hcl:23,16: Wrong value: user is a string in quotes.
# want words.hcl:26,18: Wrong server: The port is not a number from 1 to 65535.
# want words.hcl:27,18: Unknown word: tls is one of "implicit", "starttls", "none".
# want words.hcl:28,18: Wrong value: tls_min is a string in quotes.
# want words.hcl:29,18: Wrong value: auth is null; leave it out instead.
# want words.hcl:30,18: Unknown word: pipelining is one of "auto", "on", "off".
# want words.hcl:31,18: Wrong pin: tls_pin is the SHA-256 of the server's certificate (DER): 64 hexadecimal
# want words.hcl:33,14: Wrong value: dial is a duration such as "30s", "5m" or "1h30m".
# want words.hcl:34,14: Wrong value: data is a duration such as "30s", "5m" or "1h30m".
# want words.hcl:37,15: Wrong name: A sink's name is made of letters, digits, dot, dash and underscore.
# want words.hcl:38,15: Empty dir: dir must not be empty.
# want words.hcl:39,15: Wrong value: segment is a size of at least 1MiB, such as "64MiB" or "1GiB".
# want words.hcl:42,16: Wrong value: sessions is a whole number of at least 1, without quotes.
# want words.hcl:43,16: Wrong value: attempts is a whole number of at least 1, without quotes.
# want words.hcl:44,16: Wrong value: memory is a size of at least 1MiB, such as "64MiB" or "1GiB".
# want words.hcl:45,16: Wrong value: backoff is a duration such as "30s", "5m" or "1h30m".
job "a b" {
  account "x" {
    password = env("X")
    hold     = "yes"
    user     = 7
  }
  source "pop3" {
    server     = "pop.example.net:99999"
    tls        = "ssl"
    tls_min    = 1.2
    auth       = null
    pipelining = "yes"
    tls_pin    = "abc"
    timeouts {
      dial = "30"
      data = "-1s"
    }
  }
  sink "mbox" "arch/ive" {
    dir     = ""
    segment = "64MB"
  }
  limits {
    sessions = 0
    attempts = "4"
    memory   = "1KiB"
    backoff  = "soon"
  }
}
