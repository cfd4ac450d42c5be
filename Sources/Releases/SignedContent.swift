import Federation
import Tensors

/// The content of a signed in-toto statement about a release's files.
struct SignedContent {
    let resources: [ModelSignature.Resource]
    let ignoredPaths: [String]

    init(_ payload: [UInt8]) throws {
        let statement: JSONValue
        do { statement = try JSONParser.parse(payload) } catch { throw Self.wrong("it is not JSON: \(error)") }
        guard statement["_type"]?.string == ModelSignature.statementType,
            statement["predicateType"]?.string == ModelSignature.predicateType
        else {
            throw Self.wrong("it is not a statement about a model's files (\(ModelSignature.predicateType))")
        }
        guard let subjects = statement["subject"]?.array, subjects.count == 1,
            let list = statement["predicate"]?["resources"]?.array
        else {
            throw Self.wrong("it does not have exactly one subject with its files")
        }
        ignoredPaths = try Self.ignoredPaths(statement["predicate"]?["serialization"] ?? .null)
        resources = try list.map(Self.resource)
        guard Set(resources.map(\.name)).count == resources.count else { throw Self.wrong("it names a file twice") }
        guard subjects[0]["digest"]?["sha256"]?.string == ModelSignature.root(resources).hex else {
            throw ReleaseError("the root digest in \(ModelSignature.fileName) does not match its files")
        }
    }

    /// Checks how the files were hashed, which must be each as a whole by SHA-256; returns the ignored paths. Symbolic
    /// links are rejected, whether the signer followed them or not.
    private static func ignoredPaths(_ serialization: JSONValue) throws -> [String] {
        for (name, expected) in [("method", "files"), ("hash_type", "sha256")]
        where serialization[name]?.string != expected {
            throw wrong("serialization.\(name) is not \(expected)")
        }
        guard let paths = (serialization["ignore_paths"] ?? .array([])).array, paths.allSatisfy({ $0.string != nil })
        else {
            throw wrong("ignore_paths is not a list of paths")
        }
        return paths.compactMap(\.string)
    }

    private static func resource(_ entry: JSONValue) throws -> ModelSignature.Resource {
        guard let name = entry["name"]?.string, entry["algorithm"]?.string == "sha256",
            let digest = entry["digest"]?.string.flatMap(Digest.init(hex:)), staysInside(name)
        else { throw wrong("it names a file that cannot be checked") }
        return ModelSignature.Resource(name: name, digest: digest)
    }

    /// Whether a file's name cannot lead out of the directory.
    private static func staysInside(_ name: String) -> Bool {
        // Compare bytes, as the system does: in Swift, a slash followed by a combining mark is another character.
        name.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false).allSatisfy {
            !["", ".", ".."].contains(Substring($0))
        }
    }

    private static func wrong(_ what: String) -> ReleaseError {
        ReleaseError("the statement in \(ModelSignature.fileName) cannot be checked: \(what)")
    }
}
