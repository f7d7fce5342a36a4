# want secrets.hcl:13,16: Missing secret: The environment variable UNSET_ONE is not set.
# want secrets.hcl:16,16: Missing secret: file("no-such-file") cannot be read: stat
# want secrets.hcl:19,16: Missing secret: What stands here is not the name of an environment variable.
# want secrets.hcl:22,16: Wrong arguments: command takes a program and its arguments, each a string.
# want secrets.hcl:25,16: Unknown function: A secret comes from env, file or command.
# want secrets.hcl:28,16: Wrong secret: password is env("NAME"), file("path"), command("program", "argument"…) or a
# want secrets.hcl:31,21: Wrong arguments: Each argument of file is a plain string that is not empty.
# want secrets.hcl:34,16: Wrong secret: password cannot be used: it is empty.
# want secrets.hcl:37,16: Wrong secret: password cannot be used: it contains a line end or NUL.
# want secrets.hcl:39,3: Missing password: Neither the account nor its source has a password.
job "a" {
  account "a" {
    password = env("UNSET_ONE")
  }
  account "b" {
    password = file("no-such-file")
  }
  account "c" {
    password = env("not a name")
  }
  account "d" {
    password = command()
  }
  account "e" {
    password = lower("S3CRET s3cret")
  }
  account "f" {
    password = "${env("X")}-s3cret"
  }
  account "g" {
    password = file(account.user)
  }
  account "h" {
    password = ""
  }
  account "i" {
    password = "s3cret\n"
  }
  account "j" {
    user = "no password"
  }
  source "pop3" {
    server = "pop.example.net"
  }
  sink "mbox" "archive" {
    dir = "archive"
  }
}
