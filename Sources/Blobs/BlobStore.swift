import Federation
import Identity
import Synchronization

/// Files named by their SHA-256, each whole or not there.
///
/// `objects/ab/abcd…` are published blobs; `partial/abcd…` are on their way; `damaged/abcd…` were found to have other
/// bytes than their name says; `incoming` holds the stores of ``IncomingBlobs``. A blob is published by a rename after
/// its bytes are on the disk and its hash is right, so a reader never sees half of one.
public final class BlobStore: Sendable {
    public let directory: String
    let disk: any Disk
    /// Bytes of a blob between two checkpoints.
    let checkpointBytes: UInt64
    private var objects: String { directory + "/objects" }
    private var partial: String { directory + "/partial" }
    private var damaged: String { directory + "/damaged" }
    /// Spools that are open: two writers of one file would publish a mixture.
    private let spooling = Mutex<Set<Digest>>([])
    private let temporaries = Mutex(0)
    let tags = BlobTags()
    /// Few blobs at a time, all in one folder: there may be thousands of such stores, and each is looked through.
    private let isFlat: Bool

    /// Opens or creates a store.
    public convenience init(
        directory: String,
        disk: any Disk = SystemDisk(),
        checkpointBytes: UInt64 = Spool.checkpointBytes
    ) throws {
        try self.init(directory: directory, disk: disk, checkpointBytes: checkpointBytes, isFlat: false)
    }

    init(directory: String, disk: any Disk, checkpointBytes: UInt64, isFlat: Bool) throws {
        self.directory = directory
        self.isFlat = isFlat
        self.disk = disk
        self.checkpointBytes = checkpointBytes
        try disk.makeDirectory(objects)
        try disk.makeDirectory(partial)
    }

    /// Opens a store to read it; nothing is created.
    public init(reading directory: String) {
        self.directory = directory
        disk = SystemDisk()
        checkpointBytes = Spool.checkpointBytes
        isFlat = false
    }

    public func path(of digest: Digest) -> String { "\(folder(of: digest))/\(digest.hex)" }
    private func folder(of digest: Digest) -> String { isFlat ? objects : "\(objects)/\(digest.hex.prefix(2))" }
    func partialPath(of digest: Digest) -> String { "\(partial)/\(digest.hex)" }

    /// The blob's size; `nil` where it is not here.
    public func byteCount(of digest: Digest) -> UInt64? { disk.byteCount(path(of: digest)) }
    public func contains(_ digest: Digest) -> Bool { byteCount(of: digest) != nil }

    /// A published blob's file.
    public func open(_ digest: Digest) throws -> any DiskFile { try disk.open(path(of: digest), .reading) }

    // MARK: Taking in

    /// Begins or resumes taking in a blob; one spool a blob at a time.
    ///
    /// - Parameter observer: sees all bytes, also those that arrived before; none where the blob is here already.
    public func spool(_ digest: Digest, byteCount: UInt64, observer: (any SpoolObserver)? = nil) throws -> Spool {
        guard spooling.withLock({ $0.insert(digest).inserted }) else {
            throw BlobError(.busy, "blob \(digest.short) is being written already")
        }
        do {
            let spool = try Spool(store: self, digest: digest, byteCount: byteCount, observer: observer)
            if spool.isComplete { closed(digest) }
            return spool
        } catch {
            closed(digest)
            throw error
        }
    }

    func closed(_ digest: Digest) { spooling.withLock { _ = $0.remove(digest) } }

    /// Takes in a durable file of this file system by a rename. The file must not change any more.
    /// Returns its digest and size.
    @discardableResult
    public func adopt(_ file: String) throws -> (digest: Digest, byteCount: UInt64) {
        let (digest, byteCount) = try digest(ofFile: file)
        // Also over a blob of that name: it may be damaged, and this one is not.
        try publish(file, as: digest)
        return (digest, byteCount)
    }

    /// Copies a file into the store.
    @discardableResult
    public func add(copyOf file: String) throws -> (digest: Digest, byteCount: UInt64) {
        let copy = temporaryPath()
        do {
            let target = try disk.open(copy, .replacing)
            try Self.forEachBlock(of: try disk.open(file, .reading)) { try target.write($0, at: $1) }
            try target.synchronise()
            return try adopt(copy)
        } catch {
            disk.remove(copy)
            throw error
        }
    }

    /// A path for a file that will be adopted.
    public func temporaryPath() -> String {
        let number = temporaries.withLock { count in
            count += 1
            return count
        }
        return "\(partial)/new-\(number)"
    }

    /// A new file at a temporary path.
    public func create(_ path: String) throws -> any DiskFile { try disk.open(path, .replacing) }
    /// Gives up a file at a temporary path, if it is still there.
    public func discard(_ path: String) { disk.remove(path) }

    func publish(_ file: String, as digest: Digest) throws {
        let folder = folder(of: digest)
        let isNew = disk.byteCount(folder) == nil
        try disk.makeDirectory(folder)
        try disk.rename(file, to: path(of: digest))
        try disk.synchronise(directory: folder)
        if isNew { try disk.synchronise(directory: objects) }
    }

    /// Gives a blob of another store of this file system a name here too. The bytes are the other store's: its spool
    /// has hashed them and made them durable.
    func share(_ digest: Digest, from other: BlobStore) throws {
        tags[digest] = other.tags[digest]
        let file = temporaryPath()
        // POSIX leaves both names in place where they are names of one file already.
        defer { disk.remove(file) }
        do {
            try disk.link(other.path(of: digest), to: file)
        } catch let error as BlobError where error.code == .failed {
            // A file system without hard links: the blob moves.
            return try publish(other.path(of: digest), as: digest)
        }
        try publish(file, as: digest)
    }

    // MARK: Looking after

    /// Reads a published blob again and compares its hash with its name. One that has not `expected` bytes, where that
    /// is known, is not read.
    public func verify(_ digest: Digest, byteCount expected: UInt64? = nil) throws {
        guard let size = byteCount(of: digest) else { throw BlobError(.missing, "blob \(digest.hex) is missing") }
        guard expected == nil || size == expected else {
            throw BlobError(.damaged, "blob \(digest.hex) is damaged: it has \(size) bytes; expected \(expected!)")
        }
        guard try hasItsBytes(digest) else {
            throw BlobError(.damaged, "blob \(digest.hex) is damaged: its bytes have another hash")
        }
    }

    /// Whether the bytes are still those that this process has hashed, or else have the hash that the name says.
    private func hasItsBytes(_ digest: Digest) throws -> Bool {
        let file = try open(digest)
        guard let tag = tags[digest] else { return try Self.digest(of: file).digest == digest }
        let tagger = ContentTagger(again: tag)
        try Self.forEachBlock(of: file) { bytes, _ in tagger.update(bytes) }
        return tagger.finish() == tag
    }

    /// Takes a damaged blob out of the way, so that it can be fetched again; it is kept for an investigation.
    public func setAside(_ digest: Digest) throws {
        try disk.makeDirectory(damaged)
        try disk.rename(path(of: digest), to: "\(damaged)/\(digest.hex)")
        try disk.synchronise(directory: folder(of: digest))
    }

    /// All published blobs, sorted.
    public func all() throws -> [Digest] {
        let names = disk.names(in: objects)
        return (isFlat ? names : names.flatMap { disk.names(in: objects + "/" + $0) }).compactMap(Digest.init(hex:))
            .sorted()
    }

    public func remove(_ digest: Digest) {
        tags[digest] = nil
        disk.remove(path(of: digest))
    }

    /// Blobs that began to come in and have not been finished, sorted.
    public func unfinished() -> [Digest] { disk.names(in: partial).compactMap(Digest.init(hex:)).sorted() }

    public func unfinishedByteCount(_ digest: Digest) -> UInt64 { disk.byteCount(partialPath(of: digest)) ?? 0 }

    /// Gives up what has arrived of a blob, unless it is arriving now.
    public func removeUnfinished(_ digest: Digest) {
        guard !spooling.withLock({ $0.contains(digest) }) else { return }
        disk.remove(partialPath(of: digest))
        disk.remove(SpoolNote.path(partialPath(of: digest)))
    }

    /// Removes what former runs left behind, except transfers that can be resumed.
    public func removeLeftovers() {
        for name in disk.names(in: partial) where name.hasPrefix("new-") { disk.remove("\(partial)/\(name)") }
    }

    /// Removes all that is here, also what has arrived in part.
    public func removeAll() {
        removeLeftovers()
        for digest in (try? all()) ?? [] { remove(digest) }
        for digest in unfinished() { removeUnfinished(digest) }
    }

    // MARK: Hashing

    /// SHA-256 and size of a file.
    public func digest(ofFile path: String) throws -> (digest: Digest, byteCount: UInt64) {
        try Self.digest(of: disk.open(path, .reading))
    }

    /// SHA-256 and size of a file of this machine.
    public static func digest(ofFile path: String) throws -> (digest: Digest, byteCount: UInt64) {
        try digest(of: SystemDisk().open(path, .reading))
    }

    private static func digest(of file: any DiskFile) throws -> (digest: Digest, byteCount: UInt64) {
        let hash = SHA256()
        let total = try forEachBlock(of: file) { bytes, _ in hash.update(bytes) }
        return (hash.finish(), total)
    }

    /// Reads a file from its beginning to `end`, or to its own; returns how many bytes there were.
    @discardableResult
    static func forEachBlock(
        of file: any DiskFile,
        upTo end: UInt64 = .max,
        _ body: (UnsafeRawBufferPointer, UInt64) throws -> Void
    ) throws -> UInt64 {
        let size = min(end, try file.byteCount)
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: Int(min(1 << 20, max(1, size))), alignment: 64)
        defer { buffer.deallocate() }
        var offset: UInt64 = 0
        while offset < end {
            let wanted = Int(min(UInt64(buffer.count), end - offset))
            let count = try file.read(into: UnsafeMutableRawBufferPointer(rebasing: buffer[..<wanted]), at: offset)
            if count == 0 { break }
            try body(UnsafeRawBufferPointer(rebasing: buffer[..<count]), offset)
            offset += UInt64(count)
        }
        return offset
    }
}
