import CProtobufC
import Federation

/// Reads fields of unpacked messages, with validation.
enum Field {
    static func text(_ pointer: UnsafeMutablePointer<CChar>?, _ field: String, atMost limit: Int = WireLimits.textBytes)
        throws -> String
    {
        guard let pointer else { return "" }
        guard let text = String(validatingCString: pointer) else { throw WireError(field, "not UTF-8") }
        guard text.utf8.count <= limit else { throw WireError(field, "longer than \(limit) bytes") }
        return text
    }

    /// Reads an operator's reason: not empty, and short enough for a ledger entry.
    static func reason(_ pointer: UnsafeMutablePointer<CChar>?, _ field: String) throws -> String {
        let text = try text(pointer, field, atMost: CampaignChange.reasonBytes)
        guard !text.isEmpty else { throw WireError(field, "missing") }
        return text
    }

    static func name<N: Name>(_ pointer: UnsafeMutablePointer<CChar>?, _ field: String) throws -> N {
        guard let name = N(try text(pointer, field)) else {
            throw WireError(field, "not a name of 1 to \(maximumNameBytes) of A-Z a-z 0-9 . _ -")
        }
        return name
    }

    static func site(_ pointer: UnsafeMutablePointer<CChar>?, _ field: String) throws -> SiteID {
        guard let site = SiteID(try text(pointer, field)) else { throw WireError(field, "not of the form member/site") }
        return site
    }

    static func bytes(_ data: ProtobufCBinaryData, _ field: String, atMost limit: Int) throws -> [UInt8] {
        guard data.len <= limit else { throw WireError(field, "longer than \(limit) bytes") }
        return Array(UnsafeBufferPointer(start: data.data, count: data.len))
    }

    static func digest(_ data: ProtobufCBinaryData, _ field: String) throws -> Digest {
        guard let digest = try optionalDigest(data, field) else { throw WireError(field, "missing") }
        return digest
    }

    static func optionalDigest(_ data: ProtobufCBinaryData, _ field: String) throws -> Digest? {
        guard data.len > 0 else { return nil }
        guard let digest = Digest(UnsafeRawBufferPointer(start: data.data, count: data.len)) else {
            throw WireError(field, "not 32 bytes")
        }
        return digest
    }

    static func finite(_ value: Double, _ field: String) throws -> Double {
        guard value.isFinite else { throw WireError(field, "not a finite number") }
        return value
    }

    static func present<T>(_ value: T?, _ field: String) throws -> T {
        guard let value else { throw WireError(field, "missing") }
        return value
    }

    static func list<T, R>(
        _ start: UnsafeMutablePointer<T>?,
        _ count: Int,
        _ field: String,
        atMost limit: Int,
        _ read: (T) throws -> R
    ) throws -> [R] {
        guard count <= limit else { throw WireError(field, "more than \(limit)") }
        return try UnsafeBufferPointer(start: start, count: count).map(read)
    }
}
