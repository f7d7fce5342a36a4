package personalities

// expect is what comes of a job where a server does not let it be that every
// message is in every sink once, and none on the server. The zero value says
// that it does.
type expect struct {
	why      string
	failed   []int  // messages that cannot be fetched; they stay on the server
	reason   string // why, in the report
	lostFile string // mark of the message for which the server has a stand-in
	runs     int    // further runs that each step of the job takes
	hides    bool   // what was retrieved is hidden, not deleted
	again    []int  // messages that are stored anew each time they are looked at
	doubtful bool   // whether the deletions happened cannot be told
}

var expectations = map[string]expect{
	"cyrus": {failed: []int{bareLF}, reason: "failed repeatedly",
		why: "a message kept with LF at its end has no end on the wire; it is reported, and the rest is copied"},
	"exchange": {failed: []int{noEnd, bareLF}, reason: "failed repeatedly", again: []int{multipart}, runs: 3, doubtful: true,
		why: "a message without a line end has no end on the wire; one that is made anew for each fetch is never known again"},
	"exchange-online": {again: []int{multipart}, why: "a message that is made anew for each fetch is never known again"},
	"gmail": {runs: 4, hides: true,
		why: "a session shows a part of the mail, and what was retrieved is not shown again: each run takes one part, and what a run without deletion took cannot be deleted any more"},
	"hmailserver": {lostFile: "mark-02", why: "the server lost the file, and what it sends in its place is kept"},
}

func (w *world) expect() expect { return expectations[w.personality.Key] }
