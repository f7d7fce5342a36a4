package pop3test_test

import (
	"bufio"
	"fmt"
	"net"

	"popmigrate/pop3/pop3test"
)

func Example() {
	server, err := pop3test.Start(pop3test.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer server.Close()
	drop := server.AddMaildrop("alice", "secret",
		pop3test.Message{UniqueID: "a", Content: []byte("Subject: hello\r\n\r\nworld\r\n")})
	drop.SetRules(
		pop3test.Rule{Command: pop3test.OnLogin, Times: 1, Do: pop3test.Instead("-ERR [IN-USE] try later")},
		pop3test.Rule{Command: "DELE", Do: pop3test.Instead("-ERR this maildrop is read only")},
	)

	conn, err := net.Dial("tcp", server.Addr())
	if err != nil {
		fmt.Println(err)
		return
	}
	defer conn.Close()
	fmt.Fprint(conn, "USER alice\r\nPASS secret\r\nUSER alice\r\nPASS secret\r\nSTAT\r\nDELE 1\r\nQUIT\r\n")
	replies := bufio.NewScanner(conn)
	replies.Scan() // the greeting
	for replies.Scan() {
		fmt.Println(replies.Text())
	}
	fmt.Println(drop.UniqueIDs(), drop.Stats().Refused)
	// Output:
	// +OK name noted
	// -ERR [IN-USE] try later
	// +OK name noted
	// +OK maildrop locked and ready
	// +OK 1 25
	// -ERR this maildrop is read only
	// +OK goodbye
	// [a] 1
}
