import Federation
import Protocol
import Tensors
import Transport
import Wire

/// Reads the header of the coordinator's model without fetching its weights.
package enum ModelProbe {
    /// Returns the header of the model that the next round starts from; `nil` if the coordinator names none.
    ///
    /// The coordinator keeps sending the rest of the model after this returns, so the connection must be closed.
    ///
    /// - Parameters:
    ///   - connection: A bulk connection.
    ///   - largestBytes: The largest size; a larger model is not requested.
    /// - Throws: `WorkerError` if the model is too large; other errors if the transfer fails or the header is invalid.
    package static func header(_ connection: ClientConnection, largestBytes: UInt64) async throws -> SafetensorsHeader?
    {
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
            guard let chunk = try receiver.handle(frame.message) else { continue }
            chunk.payload.withUnsafeBytes { bytes += $0 }
            guard bytes.count >= 8 else { continue }
            let length = try SafetensorsHeader.length(Array(bytes[..<8]), fileByteCount: Int(model.byteCount))
            guard bytes.count >= 8 + length else { continue }
            return try SafetensorsHeader(json: Array(bytes[8..<8 + length]), fileByteCount: Int(model.byteCount))
        }
    }
}
