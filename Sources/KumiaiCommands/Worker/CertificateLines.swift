import Federation
import Worker

/// What a worker's status says of its certificate and of the clocks.
enum CertificateLines {
    static func of(_ status: WorkerStatus) -> [String] {
        var lines: [String] = []
        if let notice = status.certificateNotice {
            lines.append("certificate: \(notice)")
        } else if let end = status.certificateEndMilliseconds {
            lines.append("certificate: until \(Format.time(Timestamp(milliseconds: end)))")
        }
        if let clocks = status.clockNotice { lines.append("clocks:   \(clocks)") }
        return lines
    }
}
