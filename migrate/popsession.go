package migrate

import (
	"context"
	"fmt"
	"iter"

	"popmigrate/pop3"
)

var (
	_ Session      = (*popSession)(nil)
	_ HeaderReader = (*popSession)(nil)
	_ Idler        = (*popSession)(nil)
	_ Cautious     = (*popSession)(nil)
	_ Connector    = (*POP3Source)(nil)
)

// List joins the session's three listings. They must tell of the same
// messages: a server that contradicts itself is not one to delete on.
func (p *popSession) List(ctx context.Context) (*Listing, error) {
	all, err := p.client.Listings(ctx)
	if err != nil {
		return nil, err
	}
	listing := &Listing{HasUIDL: all.UIDLError == nil, DropCount: -1, DropOctets: -1}
	if all.StatError == nil {
		listing.DropCount, listing.DropOctets = all.Drop.Messages, all.Drop.Octets
	}
	listing.Entries = make([]Entry, len(all.Scan))
	for i, row := range all.Scan {
		listing.Entries[i] = Entry{Number: row.Number, Octets: row.Octets}
	}
	if listing.HasUIDL {
		if err := join(listing.Entries, all.UniqueIDs); err != nil {
			return nil, err
		}
	}
	if listing.DropCount >= 0 && listing.DropCount != int64(len(listing.Entries)) {
		listing.Doubt = fmt.Sprintf("STAT counts %d messages, LIST %d", listing.DropCount, len(listing.Entries))
	}
	return listing, nil
}

// join puts the unique-ids to the scan listing's entries.
func join(entries []Entry, ids []pop3.UniqueIDListing) error {
	differ := func() error {
		return &pop3.ProtocolError{Command: "UIDL",
			Problem: fmt.Sprintf("UIDL lists %d messages and LIST %d, and not the same ones", len(ids), len(entries))}
	}
	if len(entries) != len(ids) {
		return differ()
	}
	var byNumber map[pop3.Number]int
	for i, row := range ids {
		if byNumber == nil && entries[i].Number == row.Number {
			entries[i].UniqueID = string(row.UniqueID)
			continue
		}
		if byNumber == nil { // the two are ordered differently
			byNumber = make(map[pop3.Number]int, len(entries))
			for k := range entries {
				byNumber[entries[k].Number] = k
			}
		}
		k, ok := byNumber[row.Number]
		if !ok {
			return differ()
		}
		entries[k].UniqueID = string(row.UniqueID)
	}
	return nil
}

func (p *popSession) Retrieve(ctx context.Context, numbers iter.Seq[pop3.Number]) iter.Seq2[*Retrieved, error] {
	return retrieved(p.client.Retrieve(ctx, numbers))
}

func (p *popSession) Headers(ctx context.Context, numbers iter.Seq[pop3.Number]) iter.Seq2[*Retrieved, error] {
	return retrieved(p.client.Top(ctx, numbers, 0))
}

func retrieved(messages iter.Seq2[*pop3.Message, error]) iter.Seq2[*Retrieved, error] {
	return func(yield func(*Retrieved, error) bool) {
		for m, err := range messages {
			r := &Retrieved{}
			if m != nil {
				r.Number = m.Number
			}
			if err == nil {
				r.Body = m
			}
			if !yield(r, err) {
				return
			}
		}
	}
}

func (p *popSession) Mark(ctx context.Context, numbers iter.Seq[pop3.Number]) iter.Seq2[Reply, error] {
	return func(yield func(Reply, error) bool) {
		for m, err := range p.client.Dele(ctx, numbers) {
			if !yield(Reply{m.Number, m.Text}, err) {
				return
			}
		}
	}
}

func (p *popSession) Quit(ctx context.Context) (string, error) { return p.client.Quit(ctx) }

func (p *popSession) Noop(ctx context.Context) error { return p.client.Noop(ctx) }

func (p *popSession) Cautious() { p.client.Cautious() }

func (p *popSession) Close() error { return p.client.Close() }
