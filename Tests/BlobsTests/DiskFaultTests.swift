import Federation
import Foundation
import Identity
import TestKit
import Testing

@testable import Blobs

/// What a store does when its disk fails or holds what it should not.
@Suite struct DiskFaultTests {
    let directory: TemporaryDirectory
    let store: BlobStore
    static let content = BlobTests.content
    static let digest = BlobTests.digest
    static let osaka = BlobTests.osaka
    static let abc = BlobTests.abc

    init() throws {
        directory = try TemporaryDirectory()
        store = try BlobStore(directory: directory.path)
    }

    private func append(_ spool: Spool, _ range: Range<Int>) throws { try BlobTests.append(spool, range) }

    /// Linux reports a lost write once; a second fdatasync would say that all is well.
    @Test(arguments: [0, 2_000_000]) func afterAFailedSynchronisationNothingMoreCountsAsDurable(checkpoint: Int) throws
    {
        let disk = FailingDisk(), store = BlobStore(try FileBlobs(directory: directory.path, disk: disk))
        var spool: Spool? = try store.spool(Self.digest, byteCount: 20_000_000)
        try append(spool!, 0..<2_000_000)
        if checkpoint > 0 { try spool!.checkpoint() }
        try append(spool!, 2_000_000..<4_000_000)
        disk.fails.store(true, ordering: .relaxed)
        #expect(throws: BlobError(.failed, "")) { try spool!.checkpoint() }
        #expect(throws: BlobError(.failed, "")) { try spool!.checkpoint() }
        #expect(throws: BlobError(.failed, "")) { try append(spool!, 4_000_000..<8_000_000) }
        #expect(!store.contains(Self.digest))
        spool = nil
        spool = try store.spool(Self.digest, byteCount: 20_000_000)
        #expect(spool!.receivedBytes == UInt64(checkpoint))
        try append(spool!, checkpoint..<20_000_000)
        try BlobStore(directory: directory.path).verify(Self.digest)
    }

    /// The state that a power failure in a rename leaves on some file systems.
    @Test func anUploadDoesNotChangeAPublishedBlobWhoseFileItStillNames() throws {
        let (digest, _) = try store.add(copyOf: directory.write("f", Array("abc".utf8)))
        let other = IncomingBlobs(store)
        let partial = "incoming/\(Self.osaka)/partial/\(digest.hex)"
        for record in [false, true] {
            _ = try other.store(of: Self.osaka)
            try SystemDisk().link(store.path(of: digest), to: directory.file(partial))
            if record {
                try DurabilityRecord(beside: directory.file(partial), SystemDisk()).write(1, bootID: "another")
            }
            let spool = try other.store(of: Self.osaka).spool(digest, byteCount: 3)
            #expect(spool.receivedBytes == (record ? 1 : 0))
            try store.verify(digest)
            try Array("abc".utf8.dropFirst(record ? 1 : 0)).withUnsafeBytes {
                _ = try spool.append($0, at: spool.receivedBytes)
            }
            other.remove(digest, of: Self.osaka)
        }
        try BlobStore(directory: directory.path).verify(digest)
    }

    @Test func whatIsSetAsideIsNeverOverwritten() throws {
        for content in ["x", "y", "z"] {
            let (digest, _) = try store.add(copyOf: directory.write("f", Array("abc".utf8)))
            try Data(content.utf8).write(to: URL(fileURLWithPath: store.path(of: digest)))
            try store.setAside(digest)
        }
        let kept = try FileManager.default.contentsOfDirectory(atPath: directory.file("damaged"))
        let contents = try kept.map { String(decoding: try directory.read("damaged/\($0)"), as: UTF8.self) }
        #expect(contents.sorted() == ["x", "y", "z"])
    }

    @Test func aRecordWithAnAbsurdTurnCountsForNothing() throws {
        let path = directory.file("partial/\(Self.abc.hex)")
        try directory.write("partial/\(Self.abc.hex)", Array("ab".utf8))
        for turn in [.max, .max - 1, .max / 2] as [UInt64] {
            let body = "\(turn) 2 \(SystemDisk().bootID)"
            let text = "\(body) \(Digest(of: Array(body.utf8)).hex.prefix(16)) "
            let slot = Array(text.utf8) + [UInt8](repeating: 32, count: DurabilityRecord.slotBytes - text.utf8.count)
            try directory.write("partial/\(Self.abc.hex).durable", slot + slot)
            let found = try DurabilityRecord(beside: path, SystemDisk()).newest
            #expect(found == nil, "\(turn) \(String(describing: found))")
            #expect(try store.spool(Self.abc, byteCount: 3).receivedBytes == 0)
        }
    }

    @Test func leftoversAreRemovedAndStrayFilesAreNoBlobs() throws {
        for name in ["new-7", "\(Self.abc.hex).durable"] { try directory.write("partial/\(name)", []) }
        store.removeLeftovers()
        #expect(try FileManager.default.contentsOfDirectory(atPath: directory.file("partial")).isEmpty)
        try SystemDisk().makeDirectory(directory.file("objects/zz"))
        try directory.write("objects/zz/\(Self.abc.hex)", Array("abc".utf8))
        #expect(try store.all().isEmpty)
    }
}
