import Synchronization

@testable import Blobs

/// The machine's disk after a restart of the machine.
struct RestartedDisk: Disk {
    let bootID: String
    private let system = SystemDisk()

    init(bootID: String) { self.bootID = bootID }

    func makeDirectory(_ path: String) throws { try system.makeDirectory(path) }
    func open(_ path: String, _ mode: DiskMode) throws -> any DiskFile { try system.open(path, mode) }
    func byteCount(_ path: String) -> UInt64? { system.byteCount(path) }
    func rename(_ path: String, to target: String) throws { try system.rename(path, to: target) }
    func link(_ path: String, to target: String) throws { try system.link(path, to: target) }
    func remove(_ path: String) { system.remove(path) }
    func names(in directory: String) -> [String] { system.names(in: directory) }
    func synchronise(directory: String) throws { try system.synchronise(directory: directory) }
}

/// A file system without hard links, as on a memory card.
struct LinklessDisk: Disk {
    private let system = SystemDisk()

    var bootID: String { system.bootID }
    func makeDirectory(_ path: String) throws { try system.makeDirectory(path) }
    func open(_ path: String, _ mode: DiskMode) throws -> any DiskFile { try system.open(path, mode) }
    func byteCount(_ path: String) -> UInt64? { system.byteCount(path) }
    func rename(_ path: String, to target: String) throws { try system.rename(path, to: target) }
    func link(_ path: String, to target: String) throws { throw BlobError(.failed, "Operation not permitted") }
    func remove(_ path: String) { system.remove(path) }
    func names(in directory: String) -> [String] { system.names(in: directory) }
    func synchronise(directory: String) throws { try system.synchronise(directory: directory) }
}

/// A disk that loses what was written before one synchronisation, and says so once.
final class FailingDisk: Disk {
    let fails = Atomic(false)
    private let system = SystemDisk()

    var bootID: String { system.bootID }
    func makeDirectory(_ path: String) throws { try system.makeDirectory(path) }
    func open(_ path: String, _ mode: DiskMode) throws -> any DiskFile {
        FailingFile(self, try system.open(path, mode))
    }
    func byteCount(_ path: String) -> UInt64? { system.byteCount(path) }
    func rename(_ path: String, to target: String) throws { try system.rename(path, to: target) }
    func link(_ path: String, to target: String) throws { try system.link(path, to: target) }
    func remove(_ path: String) { system.remove(path) }
    func names(in directory: String) -> [String] { system.names(in: directory) }
    func synchronise(directory: String) throws { try system.synchronise(directory: directory) }
}

private final class FailingFile: DiskFile {
    private let disk: FailingDisk
    private let file: any DiskFile

    init(_ disk: FailingDisk, _ file: any DiskFile) { (self.disk, self.file) = (disk, file) }

    var byteCount: UInt64 { get throws { try file.byteCount } }
    var hasOtherNames: Bool { get throws { try file.hasOtherNames } }
    func read(into buffer: UnsafeMutableRawBufferPointer, at offset: UInt64) throws -> Int {
        try file.read(into: buffer, at: offset)
    }
    func write(_ bytes: UnsafeRawBufferPointer, at offset: UInt64) throws { try file.write(bytes, at: offset) }
    func truncate(to byteCount: UInt64) throws { try file.truncate(to: byteCount) }
    func synchronise() throws {
        guard !disk.fails.exchange(false, ordering: .relaxed) else { throw BlobError(.failed, "Input/output error") }
        try file.synchronise()
    }
}
