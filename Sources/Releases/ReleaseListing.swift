import Foundation
import Tensors

/// Lists the files of a release's directory, without symbolic links: the signature would cover a file outside the
/// release.
struct ReleaseListing {
    /// Relative paths, including files in subdirectories.
    private(set) var files: [String] = []

    private let root: String
    private static let maximumFiles = 10_000
    private static let maximumDepth = 16
    /// The only names that a signature may leave out.
    private static let repositoryNames: Set<String> = [".git", ".gitignore", ".gitattributes", ".github"]

    /// - Parameters:
    ///   - directory: The release's directory.
    ///   - passingOver: Top-level names that the signed statement leaves out.
    init(_ directory: String, passingOver: [String]) throws {
        root = directory
        let passedOver = Self.repositoryNames.intersection(passingOver)
        for name in try names(in: "") where !passedOver.contains(name) { try add(name, depth: 1) }
    }

    private func names(in directory: String) throws -> [String] {
        // With a trailing slash, a link to a directory names that directory.
        let path = "\(root)/\(directory)"
        do { return try FileManager.default.contentsOfDirectory(atPath: path) } catch {
            throw ReleaseError("\(path) cannot be listed: is it a directory that you may read?")
        }
    }

    private mutating func add(_ name: String, depth: Int) throws {
        switch RegularFile.kind(of: "\(root)/\(name)", followsLinks: false) {
        case .file:
            files.append(name)
            guard files.count <= Self.maximumFiles else {
                throw ReleaseError("\(root) holds more than \(Self.maximumFiles) files; a release has a few")
            }
        case .directory:
            guard depth < Self.maximumDepth else {
                throw ReleaseError("\(name) is nested deeper than \(Self.maximumDepth) directories")
            }
            for inner in try names(in: name) { try add("\(name)/\(inner)", depth: depth + 1) }
        case .link: throw ReleaseError("\(name) is a symbolic link; a release must contain the files themselves")
        case let kind?: throw ReleaseError("\(name) is \(kind.rawValue); a release may contain only files")
        case nil: throw ReleaseError("\(name) disappeared while the release was checked")
        }
    }
}
