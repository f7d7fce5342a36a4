package kerberos

import (
	"context"
	"errors"
	"fmt"
	"time"

	"encoding/asn1"
	"github.com/jcmturner/gokrb5/v8/config"
	"github.com/jcmturner/gokrb5/v8/crypto"
	"github.com/jcmturner/gokrb5/v8/iana/keyusage"
	"github.com/jcmturner/gokrb5/v8/iana/patype"
	"github.com/jcmturner/gokrb5/v8/messages"
	"github.com/jcmturner/gokrb5/v8/types"
)

// ticket is a ticket with what is needed to use it.
type ticket struct {
	client  principal
	service principal // as it was asked for
	ticket  messages.Ticket
	key     types.EncryptionKey // of the session with the service
	end     time.Time
}

// lasts tells whether a ticket is good for a while yet.
func (t *ticket) lasts(now time.Time) bool { return t != nil && now.Add(time.Minute).Before(t.end) }

// Error codes of KDCs (RFC 4120 section 7.5.9) that this package knows more
// about than their name.
const (
	errNameExpired      = 1
	errUnknownClient    = 6
	errUnknownServer    = 7
	errNoCommonEnctype  = 14
	errRevoked          = 18
	errPasswordExpired  = 23
	errPreauthFailed    = 24
	errPreauthRequired  = 25
	errServiceDown      = 29
	errBadIntegrity     = 31
	errTicketExpired    = 32
	errTicketNotYet     = 33
	errReplay           = 34
	errNotForUs         = 35
	errClockSkew        = 37
	errModified         = 41
	errBadKeyVersion    = 44
	errNoServiceKey     = 45
	errWrongRealm       = 68
	preauthHasNoKeyText = "the KDC wants another proof than a password or keytab gives"
)

// libraryConfig is what the library's makers of requests want to know.
func libraryConfig(enctypes []int32, canonicalize bool) *config.Config {
	c := config.New()
	c.LibDefaults.Canonicalize = canonicalize // whereby the KDC of another realm is named where needed
	c.LibDefaults.DefaultTktEnctypeIDs, c.LibDefaults.DefaultTGSEnctypeIDs = enctypes, enctypes
	// Others judge the clock: each message that leaves has the time in it. The
	// library's own check is wrong for tickets of an earlier login.
	c.LibDefaults.Clockskew = 100 * 365 * 24 * time.Hour
	return c
}

// login gets the ticket that gets others, by the AS exchange (RFC 4120 section 3.1).
func (c *Client) login(ctx context.Context, s *settings, k keys, who principal) (t *ticket, err error) {
	defer rescue(&err)
	op := "log in as " + who.String()
	enctypes, err := k.enctypes(who, s.enctypes)
	if err != nil {
		return nil, err
	}
	request, err := messages.NewASReqForTGT(who.realm, libraryConfig(enctypes, false), who.wire())
	if err != nil {
		return nil, err
	}
	request.PAData = nil
	reply, err := c.askLogin(ctx, s, who.realm, request)
	if needed := (*refusal)(nil); errors.As(err, &needed) && needed.code == errPreauthRequired {
		if err := c.prove(&request, k, who, enctypes, needed); err != nil {
			return nil, explainLocal(op, err)
		}
		reply, err = c.askLogin(ctx, s, who.realm, request)
	}
	if err != nil {
		return nil, c.explainKDC(op, err, k, who, principal{})
	}
	var m messages.ASRep
	if err := m.Unmarshal(reply); err != nil {
		return nil, fail(KindNetwork, op, "", "the KDC's reply is malformed")
	}
	key, err := k.key(who, m.EncPart.EType, m.EncPart.KVNO, m.PAData)
	if err != nil {
		return nil, explainLocal(op, err)
	}
	plain, err := crypto.DecryptEncPart(m.EncPart, key, keyusage.AS_REP_ENCPART)
	if err != nil {
		return nil, c.explainKDC(op, &refusal{code: errPreauthFailed}, k, who, principal{})
	}
	var part messages.EncKDCRepPart
	if err := part.Unmarshal(plain); err != nil || part.Nonce != request.ReqBody.Nonce || m.CRealm != who.realm ||
		!m.CName.Equal(who.wire()) || part.SRealm != who.realm || !part.SName.Equal(request.ReqBody.SName) {
		return nil, fail(KindNetwork, op, "", "the KDC's reply does not answer the request")
	}
	return &ticket{client: who, service: ticketGranting(who.realm, who.realm), ticket: m.Ticket, key: part.Key, end: part.EndTime}, nil
}

func (c *Client) askLogin(ctx context.Context, s *settings, realm string, request messages.ASReq) ([]byte, error) {
	octets, err := request.Marshal()
	if err != nil {
		return nil, err
	}
	return s.ask(ctx, realm, octets)
}

// prove adds the time under the principal's key to a request, which is what
// most KDCs demand (RFC 4120 section 5.2.7.2).
func (c *Client) prove(request *messages.ASReq, k keys, who principal, enctypes []int32, needed *refusal) error {
	var hints types.PADataSequence
	if err := hints.Unmarshal(needed.data); err != nil {
		return errors.New("the KDC's demand for pre-authentication is malformed")
	}
	possible := false
	for _, hint := range hints {
		possible = possible || hint.PADataType == patype.PA_ENC_TIMESTAMP
		if hint.PADataType == patype.PA_FX_COOKIE {
			request.PAData = append(request.PAData, hint)
		}
	}
	if !possible {
		return errors.New(preauthHasNoKeyText)
	}
	enctype := enctypes[0]
	for _, info := range enctypeInfo(hints) {
		if containsID(enctypes, info.EType) {
			enctype = info.EType
			break
		}
	}
	key, err := k.key(who, enctype, 0, hints)
	if err != nil {
		return err
	}
	now := c.now().UTC()
	stamp, err := asn1.Marshal(types.PAEncTSEnc{PATimestamp: now.Truncate(time.Second), PAUSec: now.Nanosecond() / 1000})
	if err != nil {
		return err
	}
	sealed, err := crypto.GetEncryptedData(stamp, key, keyusage.AS_REQ_PA_ENC_TIMESTAMP, 0)
	if err != nil {
		return err
	}
	octets, err := sealed.Marshal()
	request.PAData = append(request.PAData, types.PAData{PADataType: patype.PA_ENC_TIMESTAMP, PADataValue: octets})
	return err
}

func containsID(ids []int32, id int32) bool {
	for _, other := range ids {
		if other == id {
			return true
		}
	}
	return false
}

// maxReferrals bounds how many realms lie between the client and a service.
const maxReferrals = 5

// request gets a ticket for a service with a ticket-granting one, by TGS
// exchanges (RFC 4120 section 3.3). It follows referrals (RFC 6806 section 8).
func (c *Client) request(ctx context.Context, s *settings, granting *ticket, service principal) (*ticket, error) {
	op := "get ticket for " + service.String()
	realm := granting.client.realm
	for hop := 0; hop <= maxReferrals; hop++ {
		wanted := service
		if service.realm != realm && hop == 0 {
			wanted = ticketGranting(service.realm, realm) // krb5.conf says where the service is
		}
		t, next, err := c.exchange(ctx, s, granting, realm, wanted)
		if err != nil {
			return nil, c.explainKDC(op, err, nil, granting.client, wanted)
		}
		if next == "" {
			t.service = service
			return t, nil
		}
		granting, realm = t, next
	}
	return nil, fail(KindLocal, op, "name the service's realm in [domain_realm] of krb5.conf", "the KDCs refer to one another without end")
}

// exchange does one TGS exchange. next is the realm to ask next where the KDC
// gave a ticket for the KDC of that, else "".
func (c *Client) exchange(ctx context.Context, s *settings, granting *ticket, realm string, wanted principal) (t *ticket, next string, err error) {
	defer rescue(&err)
	request, err := messages.NewTGSReq(granting.client.wire(), realm, libraryConfig(s.enctypes, true), granting.ticket, granting.key, wanted.wire(), false)
	if err != nil {
		return nil, "", err
	}
	octets, err := request.Marshal()
	if err != nil {
		return nil, "", err
	}
	reply, err := s.ask(ctx, realm, octets)
	if err != nil {
		return nil, "", err
	}
	var m messages.TGSRep
	if m.Unmarshal(reply) != nil || m.DecryptEncPart(granting.key) != nil {
		return nil, "", errors.New("the KDC's reply is malformed")
	}
	if ok, _ := m.Verify(libraryConfig(s.enctypes, true), request); !ok || len(m.Ticket.SName.NameString) == 0 {
		return nil, "", errors.New("the KDC's reply does not answer the request")
	}
	t = &ticket{client: granting.client, ticket: m.Ticket, key: m.DecryptedEncPart.Key, end: m.DecryptedEncPart.EndTime}
	if name := m.Ticket.SName.NameString; name[0] == "krbtgt" && len(name) == 2 {
		return t, name[1], nil
	}
	return t, "", nil
}

// explainLocal puts the step before an error that has none yet.
func explainLocal(op string, err error) error {
	if known := (*Error)(nil); errors.As(err, &known) {
		return err
	}
	return &Error{Op: op, Err: err, Kind: KindLocal}
}

// explainKDC says what a KDC's refusal means and what helps.
func (c *Client) explainKDC(op string, err error, k keys, who, service principal) error {
	var refused *refusal
	if !errors.As(err, &refused) {
		if known := (*Error)(nil); errors.As(err, &known) {
			return &Error{Op: op, Err: err, Remedy: known.Remedy, Kind: known.Kind}
		}
		return &Error{Op: op, Err: err, Kind: KindNetwork}
	}
	e := &Error{Op: op, Err: fmt.Errorf("the KDC refuses: %w", refused), Kind: KindCredential}
	switch refused.code {
	case errUnknownClient:
		e.Remedy = "check principal: name, instance and realm, case included"
		e.Err = fmt.Errorf("the KDC does not know %s", who)
	case errUnknownServer:
		e.Kind = KindLocal
		e.Remedy = "name the host as in the server's keytab with service_host (klist -k there shows it), or have the service principal created"
		e.Err = fmt.Errorf("the KDC does not know the service %s", service)
	case errNoCommonEnctype:
		e.Kind, e.Remedy = KindLocal, "see permitted_enctypes in krb5.conf, and the principal's keys on the KDC"
	case errRevoked, errNameExpired:
		e.Remedy = "the principal is locked or has expired: the KDC's administrator can tell"
	case errPasswordExpired:
		e.Remedy = "the principal's password has expired: change it with kpasswd, and export its keytab again"
	case errPreauthFailed, errBadIntegrity:
		e.Remedy = "check the password"
		e.Err = fmt.Errorf("wrong password for %s", who)
		if _, ok := k.(*keytabKeys); ok {
			e.Remedy = "export the keytab again"
			e.Err = fmt.Errorf("the keytab's key of %s is not the one that the KDC has now", who)
		} else if k == nil {
			e.Remedy, e.Err = "get a new one with kinit", errors.New("the KDC cannot read the ticket-granting ticket: its key was changed since")
		}
	case errClockSkew:
		e.Kind, e.Remedy = KindLocal, setClock
		e.Err = errors.New(apart(c.now(), refused.time, "the KDC's"))
	case errTicketExpired:
		e.Kind, e.Remedy = KindLocal, "get a new one with kinit, or use a keytab"
	case errServiceDown:
		e.Kind = KindNetwork
	}
	return e
}
