import ArgumentParser
import Blobs
import Foundation
import Tensors

/// `--force` of commands that write files.
struct ForceOption: ParsableArguments {
    @Flag(name: .customLong("force"), help: "Replace files that exist.")
    var isOn = false
}

/// What a command writes: it appears whole or not at all, and what stood there stays until then.
///
/// A file that exists is replaced only with `--force`.
enum OutputFile {
    private static let forceHint = "choose another place with --out, or replace it with --force"

    /// Says before the work begins whether `path` can be written.
    static func prepare(_ path: String, force: Bool) throws {
        switch RegularFile.kind(of: path) {
        case .directory: throw UsageError("\(path) is a directory", hint: "name a file")
        case nil, .file:
            // Also a link that leads nowhere stands there.
            guard force || RegularFile.kind(of: path, followsLinks: false) == nil else {
                throw UsageError("\(path) exists; it was not overwritten", hint: forceHint)
            }
        case let kind?:
            throw UsageError(
                "\(path) is \(kind.rawValue); expected a file, or a place for one",
                hint: "choose another place with --out"
            )
        }
        try requireDirectory(SystemDisk.folder(of: path))
    }

    /// Throws where `path` is one of the files that are read: --force is no wish to lose them.
    static func requireOther(_ path: String, than inputs: [String]) throws {
        func place(_ path: String) -> String { URL(fileURLWithPath: path).resolvingSymlinksInPath().path }
        let isThere = RegularFile.kind(of: path) != nil
        guard
            let input = inputs.first(where: {
                place(path) == place($0) || isThere && place(path).hasPrefix(place($0) + "/")
            })
        else { return }
        throw UsageError(
            "\(path) is \(input), or in it, which is read: nothing was written",
            hint: "choose another place with --out"
        )
    }

    /// Says before the work begins whether `files` can be written into a directory.
    static func prepareDirectory(_ path: String, for files: [String], force: Bool) throws {
        try requireDirectory(path)
        for file in files {
            guard let kind = RegularFile.kind(of: "\(path)/\(file)", followsLinks: false) else { continue }
            guard kind == .file || kind == .link else {
                throw UsageError("\(path)/\(file) is \(kind.rawValue)", hint: "choose another place with --out")
            }
            guard force else { throw UsageError("\(path)/\(file) exists; it was not overwritten", hint: forceHint) }
        }
    }

    /// Throws where files cannot be written to a directory, or where it is not there and cannot be made.
    private static func requireDirectory(_ path: String) throws {
        var place = path
        while RegularFile.kind(of: place, followsLinks: false) == nil, place != ".", place != "/" {
            place = SystemDisk.folder(of: place)
        }
        guard RegularFile.kind(of: place) == .directory else { throw cannotMake(path) }
        guard access(place, W_OK) == 0 else {
            throw place == path
                ? UsageError("\(path) cannot be written to", hint: "choose another place with --out") : cannotMake(path)
        }
    }

    private static func cannotMake(_ path: String) -> UsageError {
        UsageError(
            "the directory \(path) cannot be made",
            hint: "is there a file of that name, or no permission to write there?"
        )
    }

    private static func makeDirectory(_ path: String) throws {
        do { try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true) } catch {
            throw cannotMake(path)
        }
    }

    /// Calls `write` with a path beside the target, and moves what it wrote there.
    static func replace(_ path: String, force: Bool, _ write: (String) throws -> Void) throws {
        try prepare(path, force: force)
        try makeDirectory(SystemDisk.folder(of: path))
        try withScratch(in: SystemDisk.folder(of: path)) { scratch in
            let draft = "\(scratch)/\(path.split(separator: "/").last ?? "file")"
            try write(draft)
            try place(draft, at: path, force: force)
        }
    }

    /// Calls `write` with a directory beside the target, and moves these files of it there. The last one makes the
    /// others whole: it goes first, where it was there, and comes last.
    static func replaceDirectory(_ path: String, files: [String], force: Bool, _ write: (String) throws -> Void) throws
    {
        try prepareDirectory(path, for: files, force: force)
        try makeDirectory(path)
        try withScratch(in: path) { scratch in
            try write(scratch)
            if force, let last = files.last { unlink("\(path)/\(last)") }
            for file in files { try place("\(scratch)/\(file)", at: "\(path)/\(file)", force: force) }
        }
    }

    /// Lends a new directory of a name that nothing has. A name of ours that somebody may have used would cost them
    /// their file.
    private static func withScratch(in folder: String, _ body: (String) throws -> Void) throws {
        var template = Array("\(folder)/.kumiai-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else {
            throw UsageError(
                "cannot write to \(folder): \(String(cString: strerror(errno)))",
                hint: "choose another place with --out"
            )
        }
        let scratch = template.withUnsafeBufferPointer { String(cString: $0.baseAddress!) }
        defer { try? FileManager.default.removeItem(atPath: scratch) }
        try body(scratch)
    }

    /// What has come to stand there since it was looked at is not overwritten either.
    private static func place(_ draft: String, at path: String, force: Bool) throws {
        if !force {
            if link(draft, path) == 0 { return }
            guard errno != EEXIST, RegularFile.kind(of: path, followsLinks: false) == nil else {
                throw UsageError("\(path) exists; it was not overwritten", hint: forceHint)
            }
        }
        // Also where the file system has no hard links.
        guard rename(draft, path) == 0 else {
            throw UsageError("cannot write \(path): \(String(cString: strerror(errno)))")
        }
    }
}
