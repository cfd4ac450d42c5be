import Federation
import Foundation
import Identity
import TestKit
import Testing

@testable import Blobs

/// The content-addressed store.
@Suite struct BlobTests {
    let directory: TemporaryDirectory
    let store: BlobStore
    static let content = (0..<20_000_000).map { UInt8(truncatingIfNeeded: $0 &* 2_654_435_761 >> 13) }
    static let digest = Digest(of: content)

    init() throws {
        directory = try TemporaryDirectory()
        store = try BlobStore(directory: directory.path)
    }

    func append(_ spool: Spool, _ range: Range<Int>) throws {
        for start in stride(from: range.lowerBound, to: range.upperBound, by: 262_144) {
            let end = min(range.upperBound, start + 262_144)
            try Self.content[start..<end].withUnsafeBytes { _ = try spool.append($0, at: UInt64(start)) }
        }
    }

    @Test func whatAStoreMakesIsItsOwnersAlone() throws {
        let path = directory.file("new/data")
        _ = try BlobStore(directory: path)
        for name in [directory.file("new"), path, path + "/objects", path + "/partial"] {
            #expect(try FileManager.default.attributesOfItem(atPath: name)[.posixPermissions] as? Int == 0o700, "\(name)")
        }
        try directory.write("file", [])
        #expect(throws: BlobError.self) { try SystemDisk().makeDirectory(directory.file("file")) }
    }

    @Test func blobIsPublishedWholeOrNotAtAll() throws {
        let spool = try store.spool(Self.digest, byteCount: UInt64(Self.content.count))
        try append(spool, 0..<19_000_000)
        #expect(!store.contains(Self.digest))
        try append(spool, 19_000_000..<20_000_000)
        #expect(spool.isComplete)
        #expect(store.byteCount(of: Self.digest) == 20_000_000)
        try store.verify(Self.digest)
        #expect(try store.all() == [Self.digest])
        #expect(try store.spool(Self.digest, byteCount: 20_000_000).isComplete)
    }

    @Test func afterAKillASpoolGoesOnAtTheLastByteThatWasWritten() throws {
        var spool: Spool? = try store.spool(Self.digest, byteCount: 20_000_000)
        try append(spool!, 0..<10_000_000)
        spool = nil
        spool = try store.spool(Self.digest, byteCount: 20_000_000)
        #expect(spool!.receivedBytes == 10_000_000 && spool!.durableBytes == 10_000_000)
        try append(spool!, 10_000_000..<20_000_000)
        try store.verify(Self.digest)
    }

    @Test func twoSpoolsOfOneBlobAreNeverOpenAtOnce() throws {
        let spool = try store.spool(Self.digest, byteCount: 20_000_000)
        #expect(throws: BlobError(.busy, "")) { try store.spool(Self.digest, byteCount: 20_000_000) }
        #expect(!spool.isComplete)
    }

    @Test func aDamagedBlobIsSetAsideAndComesInAgain() throws {
        let (digest, _) = try store.add(copyOf: directory.write("f", Array("abc".utf8)))
        try Data("abd".utf8).write(to: URL(fileURLWithPath: store.path(of: digest)))
        try store.setAside(digest)
        #expect(!store.contains(digest))
        let spool = try store.spool(digest, byteCount: 3)
        try Array("abc".utf8).withUnsafeBytes { _ = try spool.append($0, at: 0) }
        try store.verify(digest)
    }

    @Test func aDataDirectoryHasOneProcessAtATime() throws {
        let lock = try DirectoryLock(directory.path)
        #expect(throws: BlobError(.busy, "")) { try DirectoryLock(directory.path) }
        withExtendedLifetime(lock) {}
    }

    @Test func afterAStartOfTheMachineASpoolGoesOnAtTheLastDurableByte() throws {
        var spool: Spool? = try store.spool(Self.digest, byteCount: 20_000_000)
        try append(spool!, 0..<10_000_000)
        let checkpoint = spool!.durableBytes
        #expect(checkpoint >= Spool.checkpointBytes && checkpoint < 10_000_000)
        // What was written behind the checkpoint is not trusted.
        spool = nil
        let store = try BlobStore(directory: directory.path, disk: RestartedDisk(bootID: "another"))
        spool = try store.spool(Self.digest, byteCount: 20_000_000)
        #expect(spool!.durableBytes == checkpoint)
        try append(spool!, Int(checkpoint)..<12_000_000)
        try spool!.checkpoint()
        spool = nil
        spool = try store.spool(Self.digest, byteCount: 20_000_000)
        #expect(spool!.durableBytes == 12_000_000)
        try append(spool!, 12_000_000..<20_000_000)
        try store.verify(Self.digest)
    }

    @Test func bytesOutOfPlaceAreRefusedAndChangeNothing() throws {
        let spool = try store.spool(Self.digest, byteCount: 20_000_000)
        try append(spool, 0..<1_000_000)
        for offset in [0, 999_999, 1_000_001] as [UInt64] {
            #expect(throws: BlobError(.wrongOffset, "")) { try [UInt8(1)].withUnsafeBytes { try spool.append($0, at: offset) } }
        }
        try append(spool, 1_000_000..<20_000_000)
        #expect(spool.isComplete)
    }

    @Test func moreBytesThanAnnouncedAreRefused() throws {
        let spool = try store.spool(Digest(of: "abc"), byteCount: 2)
        #expect(throws: BlobError(.wrongOffset, "")) { try Array("abc".utf8).withUnsafeBytes { try spool.append($0, at: 0) } }
    }

    @Test func wrongContentIsDiscarded() throws {
        let spool = try store.spool(Digest(of: "abc"), byteCount: 3)
        #expect(throws: BlobError(.damaged, "")) { try Array("abd".utf8).withUnsafeBytes { try spool.append($0, at: 0) } }
        let again = try store.spool(Digest(of: "abc"), byteCount: 3)
        #expect(again.durableBytes == 0)
        try Array("abc".utf8).withUnsafeBytes { _ = try again.append($0, at: 0) }
        #expect(store.contains(Digest(of: "abc")))
    }

    @Test func damageIsFoundAndMissingBlobsAreNamed() throws {
        let file = try directory.write("f", Array("abc".utf8))
        let (digest, count) = try store.add(copyOf: file)
        #expect(count == 3 && digest == Digest(of: "abc"))
        try Data("abd".utf8).write(to: URL(fileURLWithPath: store.path(of: digest)))
        #expect(throws: BlobError(.damaged, "")) { try store.verify(digest) }
        #expect(throws: BlobError(.missing, "")) { try store.verify(Digest(of: "x")) }
        #expect(throws: BlobError(.missing, "")) { try BlobReader(store, Digest(of: "x")) }
    }

    @Test func readerStartsAnywhere() throws {
        try store.add(copyOf: directory.write("f", Array("0123456789".utf8)))
        let reader = try BlobReader(store, Digest(of: "0123456789"))
        var buffer = [UInt8](repeating: 0, count: 8)
        #expect(try buffer.withUnsafeMutableBytes { try reader.read(into: $0, at: 6) } == 4)
        #expect(buffer.prefix(4).elementsEqual("6789".utf8))
    }
}

/// The machine's disk after the machine was started again.
struct RestartedDisk: Disk {
    let bootID: String
    private let system = SystemDisk()

    init(bootID: String) { self.bootID = bootID }

    func makeDirectory(_ path: String) throws { try system.makeDirectory(path) }
    func open(_ path: String, _ mode: DiskMode) throws -> any DiskFile { try system.open(path, mode) }
    func byteCount(_ path: String) -> UInt64? { system.byteCount(path) }
    func rename(_ path: String, to target: String) throws { try system.rename(path, to: target) }
    func remove(_ path: String) { system.remove(path) }
    func names(in directory: String) -> [String] { system.names(in: directory) }
    func synchronise(directory: String) throws { try system.synchronise(directory: directory) }
}
