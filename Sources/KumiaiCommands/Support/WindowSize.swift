import Foundation

/// Columns and lines of the terminal's window.
struct WindowSize: Equatable {
    let columns: Int
    let lines: Int

    init(columns: Int, lines: Int) {
        self.columns = max(1, columns)
        self.lines = max(1, lines)
    }

    /// The current size of the terminal behind a descriptor; 80 × 24 if it is unknown.
    init(of descriptor: Int32) {
        var size = winsize()
        let isKnown = ioctl(descriptor, UInt(TIOCGWINSZ), &size) == 0
        self.init(
            columns: isKnown && size.ws_col > 0 ? Int(size.ws_col) : 80,
            lines: isKnown && size.ws_row > 0 ? Int(size.ws_row) : 24
        )
    }
}
