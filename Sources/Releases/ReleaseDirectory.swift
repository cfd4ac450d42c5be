import Blobs
import Federation
import Foundation
import Identity
import Tensors

/// A release on disk: weights, their description, their lineage, and a signature over all of them.
public struct ReleaseDirectory: Sendable {
    public let path: String

    /// Names a release; nothing is read.
    ///
    /// - Parameter path: The path of the release's directory.
    public init(path: String) { self.path = path }

    static let files = ["README.md", "config.json", "lineage.json", "model.safetensors"]

    static let adapterDirectory = "adapter"
    private static let adapterFiles = [PEFTAdapter.configurationName, PEFTAdapter.weightsName, "extraction.json"].map {
        "\(adapterDirectory)/\($0)"
    }

    /// The suffix of a release that is being written; no release's name can end with it.
    public static let draftSuffix = "~draft"

    /// Writes a release to `path` atomically. A model with a value that is not finite is rejected.
    ///
    /// - Parameters:
    ///   - path: The path of the release's directory, which must be absent or empty; it is written under this path with
    ///     ``draftSuffix`` first.
    ///   - lineage: The release's lineage.
    ///   - model: Writes the model as a safetensors file to the path that it gets.
    ///   - adapter: An adapter to release beside the model; `nil` for none.
    ///   - chain: The coordinator's certificate chain, leaf first.
    ///   - key: The private key of the leaf certificate.
    /// - Returns: The release.
    /// - Throws: `ReleaseError`, `SafetensorsError` or `NotFiniteError` if the model is not valid or the directory
    ///   cannot be put in place, `IdentityError` if signing fails, what `model` throws, or the error of a file that
    ///   cannot be written.
    public static func write(
        to path: String,
        lineage: Lineage,
        model: (String) throws -> Void,
        adapter: AdapterExtraction? = nil,
        chain: [Certificate],
        key: PrivateKey
    ) throws -> ReleaseDirectory {
        let draft = path + Self.draftSuffix
        let manager = FileManager.default
        try? manager.removeItem(atPath: draft)
        // After the rename there is no file with this name.
        defer { try? manager.removeItem(atPath: draft) }
        try manager.createDirectory(atPath: draft, withIntermediateDirectories: true)
        try model(draft + "/model.safetensors")
        let
            file = try SafetensorsFile(
                path: draft + "/model.safetensors",
                called: "the model of \(lineage.cutting.name)"
            ), header = file.header
        try file.checkFinite()
        let texts = [
            "README.md": ModelDescription.card(lineage, parameters: header.layout.elementCount, adapter: adapter),
            "config.json": try ModelDescription.configuration(header), "lineage.json": lineage.json,
        ]
        for (name, text) in texts { try text.write(toFile: "\(draft)/\(name)", atomically: false, encoding: .utf8) }
        if let adapter { try write(adapter, of: lineage, to: "\(draft)/\(adapterDirectory)") }
        let names = files + (adapter == nil ? [] : adapterFiles)
        let resources = try names.map { name in
            ModelSignature.Resource(name: name, digest: try BlobStore.digest(ofFile: "\(draft)/\(name)").digest)
        }
        let signature = try ModelSignature.sign(resources, name: lineage.cutting.name.text, chain: chain, key: key)
        try signature.write(toFile: "\(draft)/\(ModelSignature.fileName)", atomically: false, encoding: .utf8)
        for name in names + [ModelSignature.fileName] { try synchronise("\(draft)/\(name)") }
        guard rename(draft, path) == 0 else {
            throw ReleaseError("cannot put the release in place at \(path): \(String(cString: strerror(errno)))")
        }
        try synchronise(SystemDisk.folder(of: path))
        return ReleaseDirectory(path: path)
    }

    private static func write(_ adapter: AdapterExtraction, of lineage: Lineage, to directory: String) throws {
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        try adapter.write(to: directory, base: lineage.base.text, baseDigest: lineage.baseDigest.hex)
        let report = """
            {
              "base": \(lineage.base.text.jsonQuoted),
              "base_digest": "\(lineage.baseDigest.hex)",
              "rank": \(adapter.layout.rank),
              "energy": \(adapter.energy),
              "discarded_energy": \(adapter.discarded)
            }

            """
        try report.write(toFile: "\(directory)/extraction.json", atomically: false, encoding: .utf8)
    }

    /// The quality of the adapter beside the model.
    public struct AdapterReport: Sendable {
        public let rank: Int
        /// The fraction of the change's energy that it does not represent, 0 to 1.
        public let discarded: Double
    }

    /// Returns how well the adapter represents the model; `nil` if the release has no adapter. The signature is not
    /// checked.
    ///
    /// - Throws: `ReleaseError`, `JSONError` or `InputFileError` if the report is not valid or cannot be read.
    public func adapterReport() throws -> AdapterReport? {
        let name = "\(Self.adapterDirectory)/extraction.json"
        guard FileManager.default.fileExists(atPath: "\(path)/\(name)") else { return nil }
        let json = try JSONParser.parse(read(name))
        guard let rank = json["rank"]?.integer, let discarded = json["discarded_energy"]?.double else {
            throw ReleaseError("\(path)/\(name) is not a valid report")
        }
        return AdapterReport(rank: rank, discarded: discarded)
    }

    /// The facts that `release show` prints.
    public struct Summary: Sendable {
        public let release: String
        public let consortium: String
        public let campaign: String
        public let base: String
        public let model: String
        /// The round whose model was released; `nil` for the campaign's last.
        public let round: Int?
        public let rounds: Int
        public let updates: Int
        public let sites: [String]
        public let releasedAt: Timestamp
    }

    /// Returns the facts in `lineage.json`. The signature is not checked.
    ///
    /// - Throws: `ReleaseError` if the file is missing or not a lineage, `InputFileError` if it cannot be read.
    public func summary() throws -> Summary {
        let text = try read("lineage.json")
        guard let lineage = try? JSONParser.parse(text), let rounds = lineage["rounds"]?.array,
            let release = lineage["release"]?.string, let base = lineage["base"]?["name"]?.string,
            let model = lineage["model"]?.string,
            let time = lineage["released_at_ms"]?.integer.flatMap(UInt64.init(exactly:))
        else { throw ReleaseError("\(path)/lineage.json is not a lineage") }
        let updates = rounds.flatMap { $0["updates"]?.array ?? [] }
        return Summary(
            release: release,
            consortium: lineage["consortium"]?.string ?? "",
            campaign: lineage["campaign"]?.string ?? "",
            base: base,
            model: model,
            round: lineage["round"]?.integer,
            rounds: rounds.count,
            updates: updates.count,
            sites: Set(updates.compactMap { $0["site"]?.string }).sorted(),
            releasedAt: Timestamp(milliseconds: time)
        )
    }

    /// Verifies the signature and the digest of every file.
    ///
    /// The certificate must have been valid when the release was cut, at the time in `lineage.json`, which is itself
    /// signed. The release's path may be a symbolic link, but the release must not contain any.
    ///
    /// - Parameter roots: The trusted CAs.
    /// - Returns: The signer.
    /// - Throws: `ReleaseError` or `IdentityError` if the release is not valid, `InputFileError` if a file cannot be
    ///   read.
    public func verify(roots: TrustRoots) throws -> Principal {
        let summary = try summary()
        let statement = try ModelSignature.verify(read(ModelSignature.fileName), roots: roots, at: summary.releasedAt)
        guard statement.signer.isCoordinator, statement.signer.consortium == summary.consortium else {
            throw ReleaseError("signed by \(statement.signer), which is not the coordinator of \(summary.consortium)")
        }
        let present = Set(try ReleaseListing(path, passingOver: statement.ignoredPaths).files).subtracting([
            ModelSignature.fileName
        ])
        let signed = Set(statement.resources.map(\.name))
        if let odd = present.symmetricDifference(signed).sorted().first {
            throw ReleaseError(present.contains(odd) ? "\(odd) is not covered by the signature" : "\(odd) is missing")
        }
        for resource in statement.resources where try digest(of: resource.name) != resource.digest {
            throw ReleaseError("\(resource.name) was changed after it was signed")
        }
        guard try digest(of: "model.safetensors").hex == summary.model else {
            throw ReleaseError("lineage.json names a model other than the one beside it")
        }
        return statement.signer
    }

    /// Returns all files with their digests, including the signature: the complete set to fetch for a copy of the
    /// release.
    ///
    /// - Throws: `ReleaseError` if the signature is missing or malformed, `BlobError` or `InputFileError` if a file is
    ///   missing or cannot be read.
    public func files() throws -> [(name: String, blob: BlobReference)] {
        let statement = try ModelSignature.resources(read(ModelSignature.fileName))
        let signature = (name: ModelSignature.fileName, digest: try digest(of: ModelSignature.fileName))
        return try (statement.map { (name: $0.name, digest: $0.digest) } + [signature]).map { name, digest in
            let byteCount = try SystemDisk().open("\(path)/\(name)", .reading).byteCount
            return (name, BlobReference(digest: digest, byteCount: byteCount))
        }
    }

    private func digest(of name: String) throws -> Digest {
        let hash = SHA256()
        try RegularFile.forEachBlock(of: "\(path)/\(name)", followsLinks: false) { hash.update($0) }
        return hash.finish()
    }

    /// Returns the text of lineage.json.
    ///
    /// - Throws: `ReleaseError` if the file is missing, `InputFileError` if it cannot be read.
    public func lineage() throws -> String { String(decoding: try read("lineage.json"), as: UTF8.self) }
    /// Returns the ledger's signed tree head in `lineage.json`; empty if it has none. The signature is not checked.
    ///
    /// - Throws: `ReleaseError` if the file is missing, `JSONError` or `InputFileError` if it is not valid or cannot be
    ///   read.
    public func treeHead() throws -> String { try JSONParser.parse(read("lineage.json"))["tree_head"]?.string ?? "" }

    /// The lineage grows with the updates: 1,000 sites in 1,000 rounds need about 150 MB.
    private static let maximumTextBytes = 512 << 20

    private func read(_ name: String) throws -> [UInt8] {
        let file = "\(path)/\(name)"
        guard RegularFile.kind(of: file, followsLinks: false) != nil else { throw ReleaseError("\(file) is missing") }
        return try RegularFile.read(file, atMost: Self.maximumTextBytes, followsLinks: false)
    }
}
