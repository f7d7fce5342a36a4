package pop3test

import (
	"bytes"
	"crypto/hmac"
	"crypto/md5"
	"crypto/rand"
	"encoding/binary"
	"math/bits"
	"strings"
	"unicode/utf16"
)

// ntlmFlags are unicode, request target, NTLM, always sign, extended session
// security, target info, 128 bit and 56 bit (MS-NLMP section 2.2.2.5).
const ntlmFlags = 0x1 | 0x4 | 0x200 | 0x8000 | 0x80000 | 0x800000 | 0x20000000 | 0x80000000

// serveNTLM is NTLM with NTLMv2 responses (MS-NLMP).
func serveNTLM(x *saslExchange) (outcome, error) {
	negotiate, err := x.first()
	if err != nil {
		return outcome{}, err
	}
	if !bytes.HasPrefix(negotiate, []byte("NTLMSSP\x00\x01\x00\x00\x00")) {
		return outcome{}, errMalformed
	}
	challenge := make([]byte, 8)
	rand.Read(challenge)
	message, err := x.ask(ntlmChallenge(challenge))
	if err != nil {
		return outcome{}, err
	}
	if len(message) < 64 || !bytes.HasPrefix(message, []byte("NTLMSSP\x00\x03\x00\x00\x00")) {
		return outcome{}, errMalformed
	}
	domain, user := fromUTF16(ntlmField(message, 28)), fromUTF16(ntlmField(message, 36))
	response := ntlmField(message, 20)
	if domain != "" {
		user = domain + `\` + user
	}
	if len(response) < 16+28 { // NTLMv1 has 24
		return outcome{user: user}, nil
	}
	_, plain, qualified := strings.Cut(user, `\`)
	if !qualified {
		plain = user
	}
	want := ntlmProof(x.secret(user), plain, domain, challenge, response[16:])
	return outcome{user: user, right: x.secret(user) != "" && hmac.Equal(want, response[:16])}, nil
}

// ntlmProof computes NTProofStr (MS-NLMP section 3.3.2).
func ntlmProof(secret, user, domain string, challenge, temp []byte) []byte {
	mac := func(key []byte, parts ...[]byte) []byte {
		m := hmac.New(md5.New, key)
		for _, part := range parts {
			m.Write(part)
		}
		return m.Sum(nil)
	}
	hash := md4(toUTF16(secret))
	return mac(mac(hash[:], toUTF16(strings.ToUpper(user)+domain)), challenge, temp)
}

// ntlmChallenge writes a CHALLENGE_MESSAGE (MS-NLMP section 2.2.1.2).
func ntlmChallenge(challenge []byte) []byte {
	target := toUTF16("POP3TEST")
	info := binary.LittleEndian.AppendUint16(nil, 2) // MsvAvNbDomainName
	info = binary.LittleEndian.AppendUint16(info, uint16(len(target)))
	info = append(append(info, target...), 0, 0, 0, 0) // MsvAvEOL
	const header = 48
	b := []byte("NTLMSSP\x00\x02\x00\x00\x00")
	field := func(length, offset int) {
		b = binary.LittleEndian.AppendUint16(b, uint16(length))
		b = binary.LittleEndian.AppendUint16(b, uint16(length))
		b = binary.LittleEndian.AppendUint32(b, uint32(offset))
	}
	field(len(target), header)
	b = binary.LittleEndian.AppendUint32(b, ntlmFlags)
	b = append(append(b, challenge...), make([]byte, 8)...)
	field(len(info), header+len(target))
	return append(append(b, target...), info...)
}

// ntlmField returns what the length and offset at a place point to.
func ntlmField(message []byte, at int) []byte {
	length := int(binary.LittleEndian.Uint16(message[at:]))
	offset := int(binary.LittleEndian.Uint32(message[at+4:]))
	if offset > len(message) || length > len(message)-offset {
		return nil
	}
	return message[offset : offset+length]
}

func toUTF16(text string) []byte {
	var b []byte
	for _, unit := range utf16.Encode([]rune(text)) {
		b = binary.LittleEndian.AppendUint16(b, unit)
	}
	return b
}

func fromUTF16(octets []byte) string {
	units := make([]uint16, len(octets)/2)
	for i := range units {
		units[i] = binary.LittleEndian.Uint16(octets[2*i:])
	}
	return string(utf16.Decode(units))
}

// md4 is the hash of RFC 1320, which Windows keeps passwords in.
func md4(octets []byte) [16]byte {
	padded := append(bytes.Clone(octets), 0x80)
	for len(padded)%64 != 56 {
		padded = append(padded, 0)
	}
	padded = binary.LittleEndian.AppendUint64(padded, uint64(len(octets))*8)
	state := [4]uint32{0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476}
	rounds := [3]struct {
		f      func(x, y, z uint32) uint32
		add    uint32
		order  [16]int
		shifts [4]int
	}{
		{func(x, y, z uint32) uint32 { return x&y | ^x&z }, 0,
			[16]int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}, [4]int{3, 7, 11, 19}},
		{func(x, y, z uint32) uint32 { return x&y | x&z | y&z }, 0x5a827999,
			[16]int{0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15}, [4]int{3, 5, 9, 13}},
		{func(x, y, z uint32) uint32 { return x ^ y ^ z }, 0x6ed9eba1,
			[16]int{0, 8, 4, 12, 2, 10, 6, 14, 1, 9, 5, 13, 3, 11, 7, 15}, [4]int{3, 9, 11, 15}},
	}
	for ; len(padded) > 0; padded = padded[64:] {
		a, b, c, d := state[0], state[1], state[2], state[3]
		for _, round := range rounds {
			for i, word := range round.order {
				sum := a + round.f(b, c, d) + binary.LittleEndian.Uint32(padded[4*word:]) + round.add
				a, b, c, d = d, bits.RotateLeft32(sum, round.shifts[i%4]), b, c
			}
		}
		state[0], state[1], state[2], state[3] = state[0]+a, state[1]+b, state[2]+c, state[3]+d
	}
	var sum [16]byte
	for i, word := range state {
		binary.LittleEndian.PutUint32(sum[4*i:], word)
	}
	return sum
}
