// What lies between HashiCorp's yamux and the stream that carries it: it sees every frame, counts, and can slip in
// frames that the library never sends by itself.
package main

import (
	"encoding/binary"
	"io"
	"sync"
)

const (
	typeData   = 0
	typeWindow = 1
	typePing   = 2
	typeGoAway = 3

	flagSYN = 1
	flagACK = 2
	flagFIN = 4
	flagRST = 8

	headerSize = 12
	window     = 256 * 1024
)

type frame struct {
	version, kind uint8
	flags         uint16
	stream        uint32
	length        uint32
}

func parse(h []byte) frame {
	return frame{h[0], h[1], binary.BigEndian.Uint16(h[2:]), binary.BigEndian.Uint32(h[4:]), binary.BigEndian.Uint32(h[8:])}
}

func (f frame) bytes() []byte {
	h := make([]byte, headerSize)
	h[0], h[1] = f.version, f.kind
	binary.BigEndian.PutUint16(h[2:], f.flags)
	binary.BigEndian.PutUint32(h[4:], f.stream)
	binary.BigEndian.PutUint32(h[8:], f.length)
	return h
}

type tap struct {
	carrier io.ReadWriteCloser

	out      sync.Mutex
	bodyLeft uint32   // of the frame that is being sent
	slipped  [][]byte // to be sent behind it

	in      sync.Mutex
	header  []byte
	skip    uint32
	first   *frame           // of all that came
	largest uint32           // data in one frame that came
	data    map[uint32]int64 // bytes that came, by stream
	finNew  []uint32         // streams whose FIN is in bytes that the library has perhaps not looked at yet
	fins    map[uint32]bool  // and those that it has surely seen
	away    *frame
	pongs   map[uint32]bool
}

func newTap(carrier io.ReadWriteCloser) *tap {
	return &tap{carrier: carrier, data: map[uint32]int64{}, fins: map[uint32]bool{}, pongs: map[uint32]bool{}}
}

// The library writes a header by one call and the data by others.
func (t *tap) Write(p []byte) (int, error) {
	t.out.Lock()
	defer t.out.Unlock()
	if t.bodyLeft > 0 {
		t.bodyLeft -= uint32(len(p))
	} else if f := parse(p); f.kind == typeData {
		t.bodyLeft = f.length
	}
	n, err := t.carrier.Write(p)
	for err == nil && t.bodyLeft == 0 && len(t.slipped) > 0 {
		_, err = t.carrier.Write(t.slipped[0])
		t.slipped = t.slipped[1:]
	}
	return n, err
}

// slip sends bytes between two frames of the library's.
func (t *tap) slip(p []byte) {
	t.out.Lock()
	defer t.out.Unlock()
	if t.bodyLeft > 0 {
		t.slipped = append(t.slipped, p)
	} else {
		t.carrier.Write(p) // a carrier that is gone is known by reading
	}
}

func (t *tap) Read(p []byte) (int, error) {
	t.in.Lock() // the library asks for more only when it has dealt with all that it was given
	for _, id := range t.finNew {
		t.fins[id] = true
	}
	t.finNew = nil
	t.in.Unlock()
	n, err := t.carrier.Read(p)
	t.in.Lock()
	defer t.in.Unlock()
	t.look(p[:n])
	return n, err
}

func (t *tap) look(p []byte) {
	for len(p) > 0 {
		if t.skip > 0 {
			n := len(p)
			if uint32(n) > t.skip {
				n = int(t.skip)
			}
			t.skip -= uint32(n)
			p = p[n:]
			continue
		}
		n := headerSize - len(t.header)
		if n > len(p) {
			n = len(p)
		}
		t.header = append(t.header, p[:n]...)
		p = p[n:]
		if len(t.header) == headerSize {
			t.seen(parse(t.header))
			t.header = t.header[:0]
		}
	}
}

func (t *tap) seen(f frame) {
	if t.first == nil {
		t.first = &f
	}
	switch f.kind {
	case typeData:
		t.skip = f.length
		t.data[f.stream] += int64(f.length)
		if f.length > t.largest {
			t.largest = f.length
		}
	case typePing:
		if f.flags == flagACK {
			t.pongs[f.length] = true
		}
	case typeGoAway:
		t.away = &f
	}
	if f.kind <= typeWindow && f.flags&flagFIN != 0 {
		t.finNew = append(t.finNew, f.stream)
	}
}

func (t *tap) Close() error {
	return t.carrier.Close()
}

// ended tells whether the peer's FIN of this stream has come and was dealt with.
func (t *tap) ended(id uint32) bool {
	t.in.Lock()
	defer t.in.Unlock()
	return t.fins[id]
}

// came tells how many bytes of data have come for this stream.
func (t *tap) came(id uint32) int64 {
	t.in.Lock()
	defer t.in.Unlock()
	return t.data[id]
}

func (t *tap) goneAway() *frame {
	t.in.Lock()
	defer t.in.Unlock()
	return t.away
}
