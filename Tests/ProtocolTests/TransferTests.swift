import Federation
import Protocol
import Testing
import Wire

/// Both sides of a blob's transfer, without a link between them.
@Suite struct TransferTests {
    private let digest = Digest([UInt8](repeating: 7, count: 32))!

    private func chunk(_ range: Range<UInt64>) -> BlobChunk {
        BlobChunk(offset: range.lowerBound, payload: Payload([UInt8](repeating: 1, count: range.count)))
    }

    @Test func anUploadSendsWhatTheOtherSideLacksAndNothingTwice() throws {
        for (byteCount, have, chunkBytes) in [
            (1000, 0, 64), (1000, 999, 64), (1000, 1000, 64), (1, 0, 1), (65, 64, 64),
        ] as [(UInt64, UInt64, Int)] {
            var sender = UploadSender(digest, byteCount: byteCount, chunkBytes: chunkBytes)
            #expect(sender.nextRange() == nil, "nothing before the other side has answered")
            var receiver = UploadReceiver(digest, byteCount: byteCount, received: have, isComplete: have == byteCount)
            _ = try sender.handle(receiver.progress(durable: have, isComplete: receiver.wasComplete))
            while let range = sender.nextRange() {
                #expect(range.count <= chunkBytes && range.lowerBound == receiver.received)
                _ = try receiver.take(.blobChunk(chunk(range)))
                _ = try sender.handle(receiver.progress(durable: receiver.received, isComplete: receiver.hasAll))
            }
            #expect(sender.isComplete && receiver.received == byteCount)
        }
    }

    @Test func chunksOutOfOrderBeyondTheEndOrAfterItAreRefused() throws {
        for range in [10..<20, 0..<101] as [Range<UInt64>] {
            var receiver = UploadReceiver(digest, byteCount: 100, received: 0, isComplete: false)
            #expect(throws: Refusal.self, "\(range)") { try receiver.take(.blobChunk(chunk(range))) }
            #expect(receiver.received == 0)
        }
        var complete = UploadReceiver(digest, byteCount: 100, received: 100, isComplete: true)
        #expect(throws: Refusal.self) { try complete.take(.blobChunk(chunk(100..<100))) }
        #expect(throws: Refusal.self) { try complete.take(.getStatus) }
    }

    @Test func anUploadBelievesNoNonsense() throws {
        var sender = UploadSender(digest, byteCount: 100, chunkBytes: 0)
        #expect(throws: ProtocolError.self) { try sender.handle(.blobProgress(durable: 101, complete: false)) }
        #expect(throws: ProtocolError.self) { try sender.handle(.heartbeatSeen(Timestamp(milliseconds: 1))) }
        #expect(throws: Refusal.self) { try sender.handle(.refusal(Refusal(.limit, "too large"))) }
        #expect(try sender.handle(.blobProgress(durable: 40, complete: false)) == .begin(at: 40))
        // A peer that asks for chunks of zero bytes gets chunks of one byte.
        #expect(sender.nextRange() == 40..<41)
        // A restart of the peer is no reason to send anything twice.
        #expect(try sender.handle(.blobProgress(durable: 0, complete: false)) == .durable(0))
        #expect(sender.nextRange() == 41..<42)
    }

    @Test func aDownloadGoesOnWhereItWas() throws {
        var sender = try DownloadSender(byteCount: 1000, from: 300, chunkBytes: 64)
        var receiver = DownloadReceiver(digest, byteCount: 1000, received: 300)
        guard case .fetchBlob(digest, offset: 300) = receiver.request else {
            return _ = Issue.record("\(receiver.request)")
        }
        #expect(try receiver.handle(sender.start) == nil)
        while let range = sender.nextRange() {
            #expect(try receiver.handle(.blobChunk(chunk(range)))?.offset == range.lowerBound)
        }
        #expect(receiver.hasAll)
        #expect(throws: Refusal.self) { try DownloadSender(byteCount: 10, from: 11) }
    }

    @Test func aDownloadBelievesNoNonsense() throws {
        let fresh = DownloadReceiver(digest, byteCount: 100, received: 0)
        func hears(_ messages: ServerMessage...) throws {
            var receiver = fresh
            for message in messages { _ = try receiver.handle(message) }
        }
        let start = ServerMessage.blobStart(byteCount: 100)
        #expect(throws: ProtocolError.self) { try hears(.blobChunk(chunk(0..<10))) }
        #expect(throws: ProtocolError.self) { try hears(.blobStart(byteCount: 101)) }
        #expect(throws: ProtocolError.self) { try hears(start, start) }
        #expect(throws: ProtocolError.self) { try hears(start, .blobChunk(chunk(10..<20))) }
        #expect(throws: ProtocolError.self) { try hears(start, .blobChunk(chunk(0..<101))) }
        #expect(throws: ProtocolError.self) { try hears(start, .blobChunk(chunk(0..<0))) }
        #expect(throws: Refusal.self) { try hears(start, .refusal(Refusal(.unavailable, "later"))) }
        try hears(start, .blobChunk(chunk(0..<100)))
    }

    @Test func anAnswerGoesToTheOneWhoAskedAndOnce() {
        var requests = RequestMultiplexer<String>()
        let (first, second) = (requests.add("a"), requests.add("b"))
        #expect(first >= 2 && first != second)
        #expect(requests.take(second) == "b" && requests.take(second) == nil && requests.take(99) == nil)
        #expect(requests.takeAll() == ["a"] && requests.isEmpty)
    }
}
