import Blobs
import NIOCore
import NIOPosix
import Protocol
import Wire

/// Reads the chunks of a download ahead: each is read while the one before it is sent.
struct ChunkReader {
    private let reader: BlobReader
    private var sender: DownloadSender
    private let workers: NIOThreadPool
    /// The chunk that is being read.
    private var reading: EventLoopFuture<BlobChunk>?

    init(_ reader: BlobReader, _ sender: DownloadSender, on workers: NIOThreadPool) {
        self.reader = reader
        self.sender = sender
        self.workers = workers
        begin()
    }

    /// Returns the next chunk; `nil` when all have been read.
    mutating func next() async throws -> BlobChunk? {
        guard let chunk = try await reading?.get() else { return nil }
        begin()
        return chunk
    }

    private mutating func begin() {
        reading = sender.nextRange().map { range in
            workers.runIfActive(eventLoop: MultiThreadedEventLoopGroup.singleton.any()) { [reader] in
                let payload = try Payload(capacity: range.count) { try reader.read(into: $0, at: range.lowerBound) }
                guard payload.count == range.count else {
                    throw Refusal(.unavailable, "the blob became shorter while it was read")
                }
                return BlobChunk(offset: range.lowerBound, payload: payload)
            }
        }
    }
}
