// A peer for the tests of uvrelay's mux, over HashiCorp's yamux: an implementation that nobody of this project wrote.
//
//	peer far [-greeting LINE] [-silent] [-exit STATUS]
//	    the far end, on standard input and output: dials what it is asked for; see far.go for what it does itself
//	peer near SCENARIO -dir DIRECTORY [-count N] [-bytes N] [-pattern P] -- COMMAND...
//	    the near end: starts COMMAND, a far end, and tries it: see scenarios.go. It says what it saw; its status is 0 if all
//	    was as it should be
//
// A test that takes longer than a minute ends itself.
package main

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash"
	"io"
	"os"
	"runtime/pprof"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/yamux"
)

const version = "uvrelay-mux/1\n"

// What is to be done before this program ends, whatever happens.
var atEnd func()

func fail(format string, args ...interface{}) {
	fmt.Fprintf(os.Stderr, "peer: "+format+"\n", args...)
	if atEnd != nil {
		atEnd()
	}
	os.Exit(1)
}

func must(err error, what string) {
	if err != nil {
		fail("%s: %v", what, err)
	}
}

func watch(show bool) {
	time.AfterFunc(time.Minute, func() {
		if show {
			pprof.Lookup("goroutine").WriteTo(os.Stderr, 1)
		}
		fail("it hangs")
	})
}

// The library's own log. What it calls an error is one.
type log struct {
	sync.Mutex
	text strings.Builder
}

func (l *log) Write(p []byte) (int, error) {
	l.Lock()
	defer l.Unlock()
	l.text.Write(p)
	return os.Stderr.Write(p)
}

func (l *log) errors() bool {
	l.Lock()
	defer l.Unlock()
	return strings.Contains(l.text.String(), "[ERR]")
}

func configuration(l *log) *yamux.Config {
	c := yamux.DefaultConfig()
	c.EnableKeepAlive = false // it would take half a minute to be of use
	c.LogOutput = l
	return c
}

// readLine reads no byte further than the end of a line, which it leaves out.
func readLine(from io.Reader, most int) (string, error) {
	var line []byte
	one := make([]byte, 1)
	for len(line) < most {
		if _, err := io.ReadFull(from, one); err != nil {
			return string(line), err
		}
		if one[0] == '\n' {
			return string(line), nil
		}
		line = append(line, one[0])
	}
	return string(line), fmt.Errorf("a line of more than %d bytes", most)
}

// A stream whose input really ends when the other end has said so. After a Close, which is a half-close, this library's
// Read returns io.EOF whenever nothing is there at that moment.
type stream struct {
	*yamux.Stream
	tap *tap
}

func (s stream) Read(p []byte) (int, error) {
	for {
		ended := s.tap.ended(s.StreamID())
		n, err := s.Stream.Read(p)
		if n > 0 || err != io.EOF || ended {
			return n, err
		}
		if s.Session().IsClosed() {
			return 0, io.ErrUnexpectedEOF
		}
		time.Sleep(time.Millisecond)
	}
}

func (s stream) CloseWrite() error {
	return s.Close()
}

// reset does what the library never does by itself.
func (s stream) reset() {
	s.tap.slip(frame{0, typeWindow, flagRST, s.StreamID(), 0}.bytes())
}

type duplex interface {
	io.ReadWriter
	CloseWrite() error
}

// send writes so many bytes and then their hash.
func send(to io.Writer, count int64) error {
	h := sha256.New()
	block := make([]byte, 64<<10)
	for i := range block {
		block[i] = byte(i*7 + i>>8)
	}
	for i := uint64(0); count > 0; i++ {
		binary.BigEndian.PutUint64(block, i)
		piece := block
		if int64(len(piece)) > count {
			piece = piece[:count]
		}
		h.Write(piece)
		if _, err := to.Write(piece); err != nil {
			return err
		}
		count -= int64(len(piece))
	}
	_, err := to.Write(h.Sum(nil))
	return err
}

// receive reads what send wrote, and looks at the hash.
func receive(from io.Reader, count int64) error {
	h := sha256.New()
	n, err := io.CopyBuffer(struct{ io.Writer }{h}, io.LimitReader(from, count), make([]byte, 64<<10))
	if err != nil || n < count {
		return fmt.Errorf("after %d bytes of %d: %v", n, count, err)
	}
	return checkSum(from, h)
}

func checkSum(from io.Reader, h hash.Hash) error {
	sum := make([]byte, sha256.Size)
	if _, err := io.ReadFull(from, sum); err != nil {
		return fmt.Errorf("before the hash: %v", err)
	}
	if string(sum) != string(h.Sum(nil)) {
		return fmt.Errorf("other bytes have come than were sent")
	}
	return nil
}

// ends reads the end of input.
func ends(from io.Reader) error {
	n, err := from.Read(make([]byte, 100))
	if err != io.EOF {
		return fmt.Errorf("%d bytes (%v) instead of the end", n, err)
	}
	return nil
}

func main() {
	if len(os.Args) > 1 && os.Args[1] == "far" {
		watch(false)
		far(os.Args[2:])
	} else if len(os.Args) > 2 && os.Args[1] == "near" {
		watch(true)
		near(os.Args[2], os.Args[3:])
	} else {
		fail("there is no such mode")
	}
}
