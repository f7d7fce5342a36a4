package migrate

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"strconv"

	"popmigrate/checkpoint"
)

// custodyOpened is the body of the custody entry that begins a session.
type custodyOpened struct {
	Run       string            `json:"run"`
	Program   string            `json:"program"`
	Operator  string            `json:"operator"`
	Job       string            `json:"job"`
	JobDigest string            `json:"job_sha256"`
	Maildrop  string            `json:"maildrop"`
	User      string            `json:"user"`
	Source    *Facts            `json:"source"`
	Messages  int               `json:"messages"`
	Octets    int64             `json:"octets"`
	UniqueIDs bool              `json:"unique_ids"`
	Doubt     string            `json:"doubt,omitempty"`
	Listing   checkpoint.Digest `json:"listing_sha256"` // over "number octets unique-id LF" per entry
}

// custodyClosed is the body of the custody entry that ends a session.
type custodyClosed struct {
	Settled int           `json:"settled"`
	Marks   []custodyMark `json:"marks,omitempty"`
	Quit    string        `json:"quit,omitempty"`
	Problem string        `json:"problem,omitempty"`
}

// custodyMark is one DELE and what the server said.
type custodyMark struct {
	Number   int               `json:"number"`
	UniqueID string            `json:"unique_id"`
	Digest   checkpoint.Digest `json:"sha256"`
	Reply    string            `json:"reply"`
	OK       bool              `json:"ok"`
}

func (v *visit) opened() checkpoint.CustodyEntry {
	body := custodyOpened{Run: v.env.RunID, Program: v.env.Version, Operator: v.env.Operator,
		Job: v.job.Name, JobDigest: v.job.Digest, Maildrop: v.acct.Name, User: v.acct.User, Source: v.facts,
		Messages: len(v.listing.Entries), UniqueIDs: v.listing.HasUIDL, Doubt: v.listing.Doubt}
	h := sha256.New()
	var line []byte
	for _, e := range v.listing.Entries {
		line = append(strconv.AppendInt(line[:0], int64(e.Number), 10), ' ')
		line = append(strconv.AppendInt(line, e.Octets, 10), ' ')
		line = append(append(line, e.UniqueID...), '\n')
		h.Write(line)
		body.Octets += max(e.Octets, 0)
	}
	h.Sum(body.Listing[:0])
	return v.custody("opened", body)
}

func (v *visit) closed(problem error) checkpoint.CustodyEntry {
	body := custodyClosed{Settled: v.settled, Quit: v.quitReply}
	if problem != nil {
		body.Problem = problem.Error()
	}
	for _, mark := range v.marks {
		m := &v.drop.Messages[mark.record]
		body.Marks = append(body.Marks, custodyMark{mark.number, m.UniqueID, m.Digest, mark.reply, mark.ok})
	}
	return v.custody("closed", body)
}

func (v *visit) custody(kind string, body any) checkpoint.CustodyEntry {
	octets, err := json.Marshal(body)
	if err != nil {
		octets = fmt.Appendf(nil, `{"problem":%q}`, err.Error()) // the types above always marshal
	}
	return checkpoint.CustodyEntry{Maildrop: v.drop.ID, Session: v.id, Kind: kind, At: v.now(), Body: octets}
}
