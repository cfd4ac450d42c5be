import Foundation
import Tensors

/// The files of a release's directory. A link in it would let the signature cover a file that is not there.
struct ReleaseListing {
    /// Relative paths, also of files in directories.
    private(set) var files: [String] = []

    private let root: String
    private static let maximumFiles = 10_000
    private static let maximumDepth = 16
    /// What a signer may leave out of a signature: the only names that are passed over.
    private static let repositoryNames: Set<String> = [".git", ".gitignore", ".gitattributes", ".github"]

    /// - Parameter passingOver: top-level names that the signed statement leaves out.
    init(_ directory: String, passingOver: [String]) throws {
        root = directory
        let passedOver = Self.repositoryNames.intersection(passingOver)
        for name in try names(in: "") where !passedOver.contains(name) { try add(name, depth: 1) }
    }

    private func names(in directory: String) throws -> [String] {
        // With a slash at its end, a link to a directory is that directory.
        let path = "\(root)/\(directory)"
        do { return try FileManager.default.contentsOfDirectory(atPath: path) } catch {
            throw ReleaseError("\(path) cannot be listed: is it a directory, and may you read it?")
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
        case .link: throw ReleaseError("\(name) is a symbolic link; a release holds its files itself")
        case let kind?: throw ReleaseError("\(name) is \(kind.rawValue); a release holds only files")
        case nil: throw ReleaseError("\(name) went away while the release was checked")
        }
    }
}
