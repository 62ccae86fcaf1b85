"""A certificate for the proxies that speak TLS: P-256, signed by itself."""
import os
import shutil
import subprocess

from .machine import Trouble


class Certificate:
    """Paths of the certificate, its key, and both in one file."""

    def __init__(self, folder):
        openssl = shutil.which("openssl")
        if not openssl:
            raise Trouble("openssl is not installed")
        self.certificate, self.key, self.both = (os.path.join(folder, f"tls.{kind}") for kind in ("crt", "key", "pem"))
        done = subprocess.run([openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                               "-keyout", self.key, "-out", self.certificate, "-days", "2", "-subj", "/CN=localhost",
                               "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"],
                              capture_output=True, text=True, check=False)
        if done.returncode:
            raise Trouble(f"openssl made no certificate: {done.stderr.strip()[-200:]}")
        with open(self.both, "w") as out:
            out.write(self.text(self.certificate) + self.text(self.key))

    @staticmethod
    def text(path):
        with open(path) as file:
            return file.read()
