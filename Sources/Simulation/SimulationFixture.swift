import Contracts
import Coordinator
import Federation
import Identity
import Ledger
import Tensors
import Updates

/// Keys and certificates that all seeds share, because creating them again would take most of the time.
struct SimulationFixture: Sendable {
    let consortium = "sim.kumiai.example"
    let roots: TrustRoots
    let genesis: Genesis
    let logKey: PrivateKey
    let logKeyBytes: [UInt8]
    let sites: [(certificate: Certificate, key: PrivateKey)]
    let start: Timestamp

    /// What the coordinator's welcome says about it.
    var sender: Greeting.Sender {
        Greeting.Sender(
            consortium: consortium,
            heartbeatSeconds: 5,
            chunkBytes: 64,
            logKey: logKeyBytes,
            logKeySignature: genesis.logKeySignature
        )
    }

    static let siteCount = 5
    static func site(_ index: Int) -> SiteID {
        SiteID(["acme/osaka", "bolt/turin", "cyan/lyon", "dura/graz", "ergo/vigo"][index])!
    }

    /// - Parameter start: The start of the simulated clock; certificates are valid for ten years from one day before
    ///   it.
    static func make(start: Timestamp = Timestamp(milliseconds: 1_780_000_000_000)) throws -> SimulationFixture {
        let issued = Timestamp(milliseconds: start.milliseconds - 86_400_000)
        let name = "sim.kumiai.example"
        let authority = try CertificateAuthority.create(consortium: name, days: 3650, at: issued)
        func identity(_ role: Principal.Role) throws -> (certificate: Certificate, key: PrivateKey) {
            let key = try PrivateKey.generate()
            let certificate = try authority.issue(
                Principal(consortium: name, role: role),
                for: key.publicKey,
                days: 3650,
                at: issued
            )
            return (certificate, key)
        }
        let logKey = try PrivateKey.generate(.ed25519)
        let bytes = try logKey.publicKey.ed25519Bytes()
        let coordinator = try identity(.coordinator("main"))
        let genesis = Genesis(
            consortium: name,
            authority: authority.certificate.digest,
            logKey: bytes,
            coordinatorCertificate: coordinator.certificate.der,
            logKeySignature: try coordinator.key.sign(Genesis.logKeyStatement(bytes))
        )
        return SimulationFixture(
            roots: TrustRoots([authority.certificate]),
            genesis: genesis,
            logKey: logKey,
            logKeyBytes: bytes,
            sites: try (0..<siteCount).map { try identity(.site(site($0))) },
            start: start
        )
    }
}

/// The models and updates of the simulation: small, but real safetensors files.
enum TinyModel {
    static let layout = TensorLayout([
        (name: "a.weight", type: .f32, shape: [3, 5]), (name: "b", type: .f32, shape: [6]),
    ])
    static let otherLayout = TensorLayout([(name: "a", type: .f32, shape: [21])])
    static let parameters = 21

    static func file(_ values: [Float], _ layout: TensorLayout = layout) -> [UInt8] {
        SafetensorsHeader.encode(layout) + values.withUnsafeBytes(Array.init)
    }

    /// A file with one value per parameter, or two.
    static func stateFile(_ values: [Float]) -> [UInt8] {
        values.count == parameters
            ? file(values) : file(values, TensorLayout([(name: "moments", type: .f32, shape: [parameters, 2])]))
    }

    static func values(_ file: [UInt8]) -> [Float] {
        file.suffix(parameters * 4).withUnsafeBytes { bytes in
            (0..<parameters).map { bytes.loadUnaligned(fromByteOffset: 4 * $0, as: Float.self) }
        }
    }

    static func format(_ plan: Plan, round: Int) -> UpdateFormat {
        format(plan.training, plan.compression, round: round)
    }

    static func format(_ training: Training, _ compression: Compression, round: Int) -> UpdateFormat {
        UpdateFormat(TrainedTensors(training, base: layout, round: round), compression)
    }

    /// Returns the decoded values of an update's file.
    static func decoded(_ file: [UInt8], _ format: UpdateFormat) -> [Float] {
        do {
            let reader = try format.reader(SafetensorsFile(Memory(bytes: file)))
            return try reader.values(0..<reader.elementCount)
        } catch {
            preconditionFailure("an honest update cannot be read: \(error)")
        }
    }

    private struct Memory: ByteSource {
        let bytes: [UInt8]
        var byteCount: Int { bytes.count }

        func fill(_ buffer: UnsafeMutableRawBufferPointer, at offset: Int) throws {
            bytes[offset..<offset + buffer.count].withUnsafeBytes(buffer.copyMemory)
        }
    }

    static func reference(_ file: [UInt8]) -> ModelReference {
        ModelReference(
            digest: Digest(of: file),
            layout: Digest(of: layout.canonicalBytes),
            byteCount: UInt64(file.count)
        )
    }
}
