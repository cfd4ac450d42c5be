import Federation
import Protocol
import Tensors
import Transport
import Wire

/// Reads what the coordinator's model is without fetching its weights.
public enum ModelProbe {
    /// The header of the model that the next round starts from; `nil` where the coordinator names none.
    ///
    /// The rest of the model is on its way when this returns: close the connection. A model that is larger than
    /// `largestBytes` is not asked for.
    public static func header(_ connection: ClientConnection, largestBytes: UInt64) async throws -> SafetensorsHeader? {
        guard let model = connection.welcome?.model else { return nil }
        try DownloadCheck.checkSize(model.byteCount, largestBytes: largestBytes)
        return try await withTimeout(.seconds(seconds), "the model's header") {
            try await header(of: model, connection)
        }
    }

    private static let seconds: Int64 = 60

    private static func header(of model: BlobReference, _ connection: ClientConnection) async throws
        -> SafetensorsHeader
    {
        var receiver = DownloadReceiver(model.digest, byteCount: model.byteCount, received: 0)
        try await connection.send(receiver.request, id: 2)
        var bytes: [UInt8] = []
        while true {
            guard let frame = try await connection.inbox.next() else {
                throw TransportError(.closed, "the coordinator closed the connection")
            }
            guard let chunk = try receiver.hear(frame.message) else { continue }
            chunk.payload.withUnsafeBytes { bytes += $0 }
            guard bytes.count >= 8 else { continue }
            let length = try SafetensorsHeader.length(Array(bytes[..<8]), fileByteCount: Int(model.byteCount))
            guard bytes.count >= 8 + length else { continue }
            return try SafetensorsHeader(json: Array(bytes[8..<8 + length]), fileByteCount: Int(model.byteCount))
        }
    }
}
