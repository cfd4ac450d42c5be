import Federation
import KumiaiProto

/// The files of a model or a release, and the entry that registered it.
public struct ModelListing: Equatable, Sendable {
    public struct File: Equatable, Sendable {
        /// A relative path, with `/` between folders.
        public let path: String
        public let blob: BlobReference

        /// Creates the description of one file.
        ///
        /// - Parameters:
        ///   - path: A relative path, with `/` between folders.
        ///   - blob: The file's digest and size.
        public init(path: String, blob: BlobReference) {
            self.path = path
            self.blob = blob
        }
    }

    /// The path of the signature over all other files of a release.
    public static let signaturePath = "model.sig"

    public let name: ModelName
    public let files: [File]
    public let proof: Receipt

    /// Creates a listing.
    ///
    /// - Parameters:
    ///   - name: The name of the model or the release.
    ///   - files: The files, at most ``maximumFiles``.
    ///   - proof: The receipt of the entry that registered the model or the release.
    public init(name: ModelName, files: [File], proof: Receipt) {
        self.name = name
        self.files = files
        self.proof = proof
    }
}

extension ModelListing {
    /// The largest number of files of a model or a release.
    public static let maximumFiles = 1000

    func packed(in arena: Arena) -> UnsafeMutablePointer<Kumiai__V1__ModelDescription> {
        arena.make(kumiai__v1__model_description__init) { m in
            m.name = arena.string(name.text)
            m.n_files = files.count
            m.files = arena.array(
                files.map { file in
                    Optional(
                        arena.make(kumiai__v1__model_file__init) {
                            $0.path = arena.string(file.path)
                            $0.digest = arena.bytes(file.blob.digest)
                            $0.bytes = file.blob.byteCount
                        }
                    )
                }
            )
            m.proof = proof.packed(in: arena)
        }
    }

    init(_ m: Kumiai__V1__ModelDescription) throws {
        self.init(
            name: try Field.name(m.name, "model_description.name"),
            files: try Field.list(m.files, m.n_files, "model_description.files", atMost: Self.maximumFiles) {
                let file = try Field.present($0, "model_description.files").pointee
                return File(
                    path: try Self.path(file.path),
                    blob: BlobReference(
                        digest: try Field.digest(file.digest, "model_file.digest"),
                        byteCount: file.bytes
                    )
                )
            },
            proof: try Receipt(try Field.present(m.proof, "model_description.proof").pointee)
        )
    }

    /// Reads a relative path that cannot lead out of its folder: each part is a name.
    private static func path(_ pointer: UnsafeMutablePointer<CChar>?) throws -> String {
        let path = try Field.text(pointer, "model_file.path", atMost: 512)
        let parts = path.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.allSatisfy({ ModelName.isValid(String($0)) }) else {
            throw WireError("model_file.path", "not a relative path of names")
        }
        return path
    }
}
