import ArgumentParser
import Blobs
import Foundation
import Tensors

/// `--force`, for commands that write files.
struct ForceOption: ParsableArguments {
    @Flag(name: .customLong("force"), help: "Replace existing files.")
    var isOn = false
}

/// A file or directory that a command writes: it appears complete or not at all, and an existing one stays until then.
///
/// An existing file is replaced only with `--force`.
enum OutputFile {
    private static let forceHint = "choose another path with --out, or replace it with --force"

    /// Throws before the work begins if `path` cannot be written.
    static func prepare(_ path: String, force: Bool) throws {
        switch RegularFile.kind(of: path) {
        case .directory: throw UsageError("\(path) is a directory", hint: "name a file")
        case nil, .file:
            // A dangling link counts as existing too.
            guard force || RegularFile.kind(of: path, followsLinks: false) == nil else {
                throw UsageError("\(path) exists; it was not overwritten", hint: forceHint)
            }
        case let kind?:
            throw UsageError(
                "\(path) is \(kind.rawValue); expected a regular file or a path that does not exist",
                hint: "choose another path with --out"
            )
        }
        try requireDirectory(SystemDisk.folder(of: path))
    }

    /// Throws if `path` is one of the inputs: --force must not overwrite them.
    static func requireOther(_ path: String, than inputs: [String]) throws {
        func place(_ path: String) -> String { URL(fileURLWithPath: path).resolvingSymlinksInPath().path }
        let isThere = RegularFile.kind(of: path) != nil
        guard
            let input = inputs.first(where: {
                place(path) == place($0) || isThere && place(path).hasPrefix(place($0) + "/")
            })
        else { return }
        throw UsageError(
            "\(path) is the input \(input) or is inside it: nothing was written",
            hint: "choose another path with --out"
        )
    }

    /// Throws before the work begins if `files` cannot be written into a directory.
    static func prepareDirectory(_ path: String, for files: [String], force: Bool) throws {
        try requireDirectory(path)
        for file in files {
            guard let kind = RegularFile.kind(of: "\(path)/\(file)", followsLinks: false) else { continue }
            guard kind == .file || kind == .link else {
                throw UsageError("\(path)/\(file) is \(kind.rawValue)", hint: "choose another path with --out")
            }
            guard force else { throw UsageError("\(path)/\(file) exists; it was not overwritten", hint: forceHint) }
        }
    }

    /// Throws if files cannot be written to a directory, or if it does not exist and cannot be created.
    private static func requireDirectory(_ path: String) throws {
        var place = path
        while RegularFile.kind(of: place, followsLinks: false) == nil, place != ".", place != "/" {
            place = SystemDisk.folder(of: place)
        }
        guard RegularFile.kind(of: place) == .directory else { throw cannotMake(path) }
        guard access(place, W_OK) == 0 else {
            throw place == path
                ? UsageError("\(path) is not writable", hint: "choose another path with --out") : cannotMake(path)
        }
    }

    private static func cannotMake(_ path: String) -> UsageError {
        UsageError(
            "cannot create the directory \(path)",
            hint: "check that no file has that name and that you may write there"
        )
    }

    private static func makeDirectory(_ path: String) throws {
        do { try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true) } catch {
            throw cannotMake(path)
        }
    }

    /// Calls `write` with a path beside the target, and moves the result to the target.
    static func replace(_ path: String, force: Bool, _ write: (String) throws -> Void) throws {
        try prepare(path, force: force)
        try makeDirectory(SystemDisk.folder(of: path))
        try withScratch(in: SystemDisk.folder(of: path)) { scratch in
            let draft = "\(scratch)/\(path.split(separator: "/").last ?? "file")"
            try write(draft)
            try place(draft, at: path, force: force)
        }
    }

    /// Calls `write` with a directory beside the target, and moves these files to the target. The presence of the last
    /// file marks the set as complete: an existing one is removed first, and the new one is moved last.
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

    /// Calls `body` with a new temporary directory. Its name is unique: a fixed name could collide with a user's file.
    private static func withScratch(in folder: String, _ body: (String) throws -> Void) throws {
        var template = Array("\(folder)/.kumiai-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else {
            throw UsageError(
                "cannot write to \(folder): \(String(cString: strerror(errno)))",
                hint: "choose another path with --out"
            )
        }
        let scratch = template.withUnsafeBufferPointer { String(cString: $0.baseAddress!) }
        defer { try? FileManager.default.removeItem(atPath: scratch) }
        try body(scratch)
    }

    /// A file that was created since the check is not overwritten either.
    private static func place(_ draft: String, at path: String, force: Bool) throws {
        if !force {
            if link(draft, path) == 0 { return }
            guard errno != EEXIST, RegularFile.kind(of: path, followsLinks: false) == nil else {
                throw UsageError("\(path) exists; it was not overwritten", hint: forceHint)
            }
        }
        // Also used if the file system has no hard links.
        guard rename(draft, path) == 0 else {
            throw UsageError("cannot write \(path): \(String(cString: strerror(errno)))")
        }
    }
}
