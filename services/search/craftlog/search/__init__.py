"""Keeps Qdrant in step with the trees and answers queries."""
