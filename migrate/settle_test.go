package migrate

import (
	"context"
	"fmt"
	"testing"
	"time"

	"popmigrate/pop3/pop3test"
)

// Messages of a few octets fill the room by their number long before they make
// a group by their octets: they are settled all the same, not after a wait.
func TestShortMessagesDoNotStall(t *testing.T) {
	patience := groupPatience
	groupPatience = time.Hour
	defer func() { groupPatience = patience }()
	short := make([]pop3test.Message, waitingItems+groupItems)
	for i := range short {
		short[i] = pop3test.Message{UniqueID: fmt.Sprint("uid-", i), Content: fmt.Appendf(nil, "S: %d\r\n", i)}
	}
	b := newBench(t, pop3test.Config{NoLog: true}, short...)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	report, err := b.runCtx(ctx)
	if err != nil {
		t.Fatal(err)
	}
	want(t, report.Accounts[0], map[string]int64{"listed": int64(len(short)), "stored": int64(len(short))})
}
