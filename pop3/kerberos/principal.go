package kerberos

import (
	"errors"
	"slices"
	"strings"

	"github.com/jcmturner/gokrb5/v8/iana/nametype"
	"github.com/jcmturner/gokrb5/v8/types"
)

// principal is a name in a realm.
type principal struct {
	name  []string
	realm string
}

// parsePrincipal reads name[/instance…][@REALM] with the escapes of MIT's
// library: a backslash before / @ and itself.
func parsePrincipal(text, defaultRealm string) (principal, error) {
	p := principal{name: []string{""}}
	part, inRealm := &p.name[0], false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c < ' ' || c == 0x7f:
			return principal{}, errors.New("a principal has no control characters")
		case c == '\\' && i+1 < len(text):
			i++
			*part += text[i : i+1]
		case c == '/' && !inRealm:
			p.name = append(p.name, "")
			part = &p.name[len(p.name)-1]
		case c == '@' && inRealm:
			return principal{}, errors.New("a principal has one @")
		case c == '@':
			part, inRealm = &p.realm, true
		default:
			*part += text[i : i+1]
		}
	}
	if slices.Contains(p.name, "") {
		return principal{}, errors.New("expected name@REALM or name/instance@REALM")
	}
	if p.realm == "" {
		p.realm = defaultRealm
	}
	return p, nil
}

// ticketGranting returns the name of the service that issues tickets for a
// realm to those who have one of another.
func ticketGranting(realm, of string) principal {
	return principal{[]string{"krbtgt", realm}, of}
}

func (p principal) String() string { return strings.Join(p.name, "/") + "@" + p.realm }

func (p principal) equal(other principal) bool {
	return p.realm == other.realm && slices.Equal(p.name, other.name)
}

// wire returns the name as messages have it.
func (p principal) wire() types.PrincipalName {
	kind := nametype.KRB_NT_PRINCIPAL
	if p.name[0] == "krbtgt" {
		kind = nametype.KRB_NT_SRV_INST
	} else if len(p.name) == 2 {
		kind = nametype.KRB_NT_SRV_HST
	}
	return types.PrincipalName{NameType: kind, NameString: p.name}
}
