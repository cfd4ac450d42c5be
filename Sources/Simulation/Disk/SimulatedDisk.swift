import Tensors
import Blobs

/// A disk that keeps what was synchronised, and after a power failure only a part of the rest.
final class SimulatedDisk: Disk, @unchecked Sendable {
    // Unchecked: only one thread runs a world.
    final class Content {
        var bytes: [UInt8] = []
        var durable: [UInt8] = []
        /// The changes since the last synchronisation.
        var changes: [Change] = []
    }

    enum Change {
        case write([UInt8], at: Int)
        case truncate(Int)
    }

    enum Entry {
        case link(String, Content)
        case unlink(String)
    }

    struct Dead: Error {}

    private var entries: [String: Content] = [:]
    private var durableEntries: [String: Content] = [:]
    private var unsynchronisedEntries: [Entry] = []
    var isFull = false
    var skipsSync = false
    /// The number of operations until the node dies in the middle of one.
    var fuse: Int?
    private(set) var isDead = false
    private var boots = 0

    var bootID: String { "boot-\(boots)" }

    /// Must be called for every change.
    func change() throws {
        guard !isDead else { throw Dead() }
        guard let left = fuse else { return }
        fuse = left - 1
        if left <= 0 {
            isDead = true
            throw Dead()
        }
    }

    func makeDirectory(_ path: String) throws {}

    func open(_ path: String, _ mode: DiskMode) throws -> any DiskFile {
        if let content = entries[path] {
            if mode == .replacing {
                try change()
                content.bytes = []
                content.changes.append(.truncate(0))
            }
            return SimulatedFile(self, content)
        }
        guard mode != .reading else { throw BlobError(.missing, "\(path) is missing") }
        try change()
        guard !isFull else { throw BlobError(.full, "no room for \(path)") }
        let content = Content()
        link(path, content)
        return SimulatedFile(self, content)
    }

    private func link(_ path: String, _ content: Content) {
        entries[path] = content
        unsynchronisedEntries.append(.link(path, content))
    }

    func byteCount(_ path: String) -> UInt64? { entries[path].map { UInt64($0.bytes.count) } }

    func rename(_ path: String, to target: String) throws {
        try change()
        guard let content = entries.removeValue(forKey: path) else { throw BlobError(.missing, "\(path) is missing") }
        // One journal entry on a real file system, so a crash never removes both names.
        link(target, content)
        unsynchronisedEntries.append(.unlink(path))
    }

    func link(_ path: String, to target: String) throws {
        try change()
        guard let content = entries[path] else { throw BlobError(.missing, "\(path) is missing") }
        guard !isFull else { throw BlobError(.full, "no room for \(target)") }
        guard entries[target] == nil else { throw BlobError(.failed, "\(target) is there already") }
        link(target, content)
    }

    func remove(_ path: String) {
        guard (try? change()) != nil, entries.removeValue(forKey: path) != nil else { return }
        unsynchronisedEntries.append(.unlink(path))
    }

    func names(in directory: String) -> [String] {
        let prefix = directory + "/"
        let names = entries.keys.filter { $0.hasPrefix(prefix) }.map { $0.dropFirst(prefix.count).prefix { $0 != "/" } }
        return Set(names.map(String.init)).sorted()
    }

    func synchronise(directory: String) throws {
        try change()
        guard !skipsSync else { return }
        for entry in unsynchronisedEntries { apply(entry) }
        unsynchronisedEntries = []
    }

    private func apply(_ entry: Entry) {
        switch entry {
        case .link(let path, let content): durableEntries[path] = content
        case .unlink(let path): durableEntries[path] = nil
        }
    }

    // MARK: Crashes

    /// The process has died, but the machine is running: everything written is still there.
    func processDied() { (isDead, fuse) = (false, nil) }

    /// The machine has stopped: directory entries are kept up to some point, and a part of each file's unsynchronised
    /// data.
    func powerFailed(_ random: inout SeededGenerator) {
        processDied()
        boots += 1
        let kept = Int.random(in: 0...unsynchronisedEntries.count, using: &random)
        for entry in unsynchronisedEntries.prefix(kept) { apply(entry) }
        unsynchronisedEntries = []
        entries = durableEntries
        for path in entries.keys.sorted() { entries[path]!.tear(&random) }
    }

    /// Corrupts one byte; returns whether there was one.
    func rot(_ path: String, _ random: inout SeededGenerator) -> Bool {
        guard let content = entries[path], !content.bytes.isEmpty else { return false }
        let index = Int.random(in: 0..<content.bytes.count, using: &random)
        content.bytes[index] ^= 1 << UInt8.random(in: 0..<8, using: &random)
        content.durable = content.bytes
        content.changes = []
        return true
    }

    // MARK: Backups

    /// All files in their current state, as in a copy of a running machine's disk.
    var backup: [String: [UInt8]] { entries.mapValues(\.bytes) }

    /// Replaces everything with a backup.
    func restore(_ backup: [String: [UInt8]]) {
        processDied()
        entries = backup.mapValues { bytes in
            let content = Content()
            (content.bytes, content.durable) = (bytes, bytes)
            return content
        }
        (durableEntries, unsynchronisedEntries) = (entries, [])
    }

    fileprivate func nameCount(of content: Content) -> Int { entries.values.count { $0 === content } }
    func paths(under prefix: String) -> [String] { entries.keys.filter { $0.hasPrefix(prefix) }.sorted() }
    func bytes(_ path: String) -> [UInt8]? { entries[path]?.bytes }
}

extension SimulatedDisk.Content {
    /// Applies each change since the last synchronisation completely, in part or not at all.
    fileprivate func tear(_ random: inout SeededGenerator) {
        var torn = durable
        for change in changes {
            switch (change, Int.random(in: 0..<3, using: &random)) {
            case (_, 0): break
            case (.truncate(let count), _): torn.resize(to: count)
            case (.write(let bytes, let offset), let fate):
                let kept = fate == 1 ? bytes.count : Int.random(in: 0...bytes.count, using: &random)
                torn.resize(to: max(torn.count, offset + kept))
                torn.replaceSubrange(offset..<offset + kept, with: bytes.prefix(kept))
            }
        }
        (bytes, durable, changes) = (torn, torn, [])
    }
}

extension [UInt8] {
    fileprivate mutating func resize(to count: Int) {
        if count < self.count {
            removeLast(self.count - count)
        } else {
            append(contentsOf: repeatElement(0, count: count - self.count))
        }
    }
}

private final class SimulatedFile: DiskFile, @unchecked Sendable {
    private let disk: SimulatedDisk
    private let content: SimulatedDisk.Content

    init(_ disk: SimulatedDisk, _ content: SimulatedDisk.Content) {
        self.disk = disk
        self.content = content
    }

    var byteCount: UInt64 { UInt64(content.bytes.count) }
    var hasOtherNames: Bool { disk.nameCount(of: content) > 1 }

    func read(into buffer: UnsafeMutableRawBufferPointer, at offset: UInt64) throws -> Int {
        let start = min(content.bytes.count, Int(offset))
        let count = min(buffer.count, content.bytes.count - start)
        buffer.copyBytes(from: content.bytes[start..<start + count])
        return count
    }

    func write(_ bytes: UnsafeRawBufferPointer, at offset: UInt64) throws {
        try disk.change()
        guard !disk.isFull else { throw BlobError(.full, "the simulated disk is full") }
        let (start, bytes) = (Int(offset), Array(bytes))
        content.bytes.resize(to: max(content.bytes.count, start + bytes.count))
        content.bytes.replaceSubrange(start..<start + bytes.count, with: bytes)
        content.changes.append(.write(bytes, at: start))
    }

    func truncate(to byteCount: UInt64) throws {
        try disk.change()
        content.bytes.resize(to: Int(byteCount))
        content.changes.append(.truncate(Int(byteCount)))
    }

    func synchronise() throws {
        try disk.change()
        guard !disk.skipsSync else { return }
        (content.durable, content.changes) = (content.bytes, [])
    }
}
