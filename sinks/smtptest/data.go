package smtptest

import (
	"bufio"
	"crypto/sha256"
	"errors"
	"fmt"
	"net"
	"strings"
)

func (s *session) data(arg string) error {
	usual := "354 go on"
	if len(s.rcpts) == 0 {
		usual = "503 5.5.1 RCPT first"
	}
	effect, err := s.reply("DATA", arg, usual)
	if err != nil || !effect || usual[0] != '3' {
		return err
	}
	message, err := s.text()
	if err != nil {
		return err
	}
	message.Conn, message.From, message.Params = s.number, *s.from, s.params
	if err := s.finish(message); err != nil {
		return err
	}
	if s.server.MessagesPerConn > 0 && s.accepted >= s.server.MessagesPerConn {
		fmt.Fprint(s.conn, "421 4.3.2 enough for one connection\r\n")
		return net.ErrClosed
	}
	return nil
}

// finish records the message for the recipients it is accepted for, then
// answers the termination line: once, in LMTP once per recipient.
func (s *session) finish(message Message) error {
	defer s.reset()
	usual := fmt.Sprintf("250 2.0.0 queued as smtptest-%d-%d", s.number, s.accepted+1)
	if limit := s.server.SizeLimit; limit > 0 && message.Length > limit {
		usual = "552 5.3.4 too large"
	}
	var answers []string
	if s.server.LMTP {
		for _, rcpt := range s.rcpts {
			answer, effect := s.decide(".", rcpt, usual)
			answers = append(answers, answer)
			if effect && usual[0] == '2' {
				message.Rcpts = append(message.Rcpts, rcpt)
			}
		}
	} else {
		answer, effect := s.decide(".", "", usual)
		answers = append(answers, answer)
		if effect && usual[0] == '2' {
			message.Rcpts = s.rcpts
		}
	}
	if len(message.Rcpts) > 0 {
		s.accepted++
		s.server.record(message)
	}
	for _, answer := range answers {
		if err := s.send(answer); err != nil {
			return err
		}
	}
	return nil
}

// text reads a message up to its termination line. Only CRLF ends a line:
// whatever else a client sends is recorded as it came.
func (s *session) text() (Message, error) {
	var message Message
	hash := sha256.New()
	lineStart, lastCR := true, false
	for {
		piece, err := s.in.ReadSlice('\n')
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			return message, err
		}
		if lineStart && piece[0] == '.' {
			if string(piece) == ".\r\n" {
				hash.Sum(message.Digest[:0])
				return message, nil
			}
			piece = piece[1:]
		}
		hash.Write(piece)
		message.Length += int64(len(piece))
		if !s.server.Discard {
			message.Octets = append(message.Octets, piece...)
		}
		if cut := s.server.CutData; cut > 0 && message.Length >= cut {
			return message, net.ErrClosed
		}
		whole := string(piece[max(0, len(piece)-2):])
		lineStart = strings.HasSuffix(whole, "\r\n") || whole == "\n" && lastCR
		lastCR = strings.HasSuffix(whole, "\r")
	}
}
