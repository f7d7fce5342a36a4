job "campus" {
  account "alice" { password = env("ALICE_PASSWORD") }
  account "bob" {
    password = env("BOB_PASSWORD")
    server   = "attic.example.edu:1109"
  }
  source "pop2" {
    server          = "pop2://old.example.edu"
    allow_cleartext = true
    login           = "${account.user} archive"
    folder          = "Old Mail"
    timeouts {
      data = "1m"
    }
  }
  sink "mbox" "archive" { dir = "archive/${account.user}" }
}
